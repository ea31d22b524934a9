{{/* What all pods have in common. Context: dict "root" "name" "values" "component". */}}

{{- define "switchhook.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "switchhook.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: ["ALL"] }
{{- end }}

{{/* The pod's part that does not depend on what runs in it. */}}
{{- define "switchhook.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "switchhook.podSecurity" . | nindent 2 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- include "switchhook.volumes" . | nindent 2 }}
{{- end }}

{{/* The container's part that does not depend on what runs in it. */}}
{{- define "switchhook.container" -}}
image: {{ include "switchhook.image" . | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext:
  {{- include "switchhook.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  - { name: secrets, mountPath: /run/switchhook/secrets, readOnly: true }
  {{- if include "switchhook.kafka.ca" .root }}
  - { name: kafka-ca, mountPath: /run/switchhook/kafka, readOnly: true }
  {{- end }}
  {{- if and (include "switchhook.postgres.ca" .root) (ne .name "ingress") }}
  - { name: postgres-ca, mountPath: /run/switchhook/postgres, readOnly: true }
  {{- end }}
{{- end }}

{{/* 288 is 0440: readers of YAML do not agree on numbers that begin with 0. */}}
{{- define "switchhook.volumes" -}}
- name: tmp
  emptyDir: { medium: Memory, sizeLimit: 64Mi }
- name: secrets
  projected:
    defaultMode: 288
    sources:
      {{- include "switchhook.secrets" . | nindent 6 }}
{{- with include "switchhook.kafka.ca" .root }}
- name: kafka-ca
  secret: { secretName: {{ . }}, defaultMode: 288, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- if ne .name "ingress" }}
{{- with include "switchhook.postgres.ca" .root }}
- name: postgres-ca
  secret: { secretName: {{ . }}, defaultMode: 288, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end }}
{{- end }}

{{/* Each component gets the keys that it needs and no others, under the names of their settings. */}}
{{- define "switchhook.secrets" -}}
{{- $operates := eq .name "operations" -}}
{{- $password := include "switchhook.kafka.password" . | fromYaml -}}
- secret:
    name: {{ .root.Values.existingSecret }}
    items:
      - { key: {{ ternary "admin_token" "admin_token_digest" $operates }}, path: switchhook_admin_token }
      {{- range .component.secrets }}
      - { key: {{ . }}, path: switchhook_{{ . }} }
      {{- end }}
- secret:
    name: {{ $password.name }}
    items:
      - { key: {{ $password.key }}, path: switchhook_kafka_password }
{{- if or $operates .component.schema }}
- secret:
    name: {{ .root.Values.postgres.existingSecret }}
    items:
      {{- if $operates }}
      {{- range list "registry" "flow_engine" "dispatcher" }}
      - { key: database_{{ . }}, path: switchhook_database_{{ . }} }
      {{- end }}
      {{- if and .root.Values.postgres.external.makeRoles (not .root.Values.postgres.cloudnativepg.enabled) }}
      - { key: database_admin, path: switchhook_database_admin }
      {{- end }}
      {{- if .root.Values.observability.dashboards }}
      - { key: database_dashboards, path: switchhook_database_dashboards }
      {{- end }}
      {{- else }}
      - { key: database_{{ .component.schema }}, path: switchhook_database }
      {{- end }}
{{- end }}
{{- end }}

{{/* Settings that services and jobs share. */}}
{{- define "switchhook.settings" -}}
- { name: SWITCHHOOK_SECRETS_DIR, value: /run/switchhook/secrets }
- { name: SWITCHHOOK_KAFKA, value: {{ include "switchhook.kafka.servers" .root | quote }} }
- { name: SWITCHHOOK_KAFKA_SECURITY_PROTOCOL, value: {{ include "switchhook.kafka.protocol" .root }} }
- { name: SWITCHHOOK_KAFKA_SASL_MECHANISM, value: {{ include "switchhook.kafka.mechanism" .root }} }
- { name: SWITCHHOOK_KAFKA_USER, value: {{ include "switchhook.kafka.user" . | quote }} }
{{- if include "switchhook.kafka.ca" .root }}
- { name: SWITCHHOOK_KAFKA_CA, value: /run/switchhook/kafka/ca.crt }
{{- end }}
{{- with .root.Values.settings.topicPrefix }}
- { name: SWITCHHOOK_TOPIC_PREFIX, value: {{ . | quote }} }
{{- end }}
{{- end }}
