{{/* What jobs and the operator's shell have in common: all that `switchhook-ops` asks of its environment. Context: the root. */}}

{{- define "switchhook.operations" -}}
{{- $component := include "switchhook.component" (dict "root" . "name" "operations") | fromYaml -}}
{{- toYaml (dict "name" "operations" "values" .Values.jobs "component" $component) -}}
{{- end }}

{{- define "switchhook.operations.env" -}}
{{- $name := include "switchhook.fullname" . -}}
{{- include "switchhook.settings" (dict "root" . "name" "operations") }}
- { name: SWITCHHOOK_TOPIC_REPLICAS, value: {{ .Values.kafka.topicReplicas | quote }} }
- { name: SWITCHHOOK_TOPIC_MIN_INSYNC, value: {{ .Values.kafka.topicMinInsync | quote }} }
{{- with .Values.kafka.topicPartitions }}
- { name: SWITCHHOOK_TOPIC_PARTITIONS, value: {{ . | quote }} }
{{- end }}
- { name: SWITCHHOOK_ACLS, value: {{ and .Values.kafka.external.acls (not .Values.kafka.strimzi.enabled) | quote }} }
{{- if not .Values.kafka.strimzi.enabled }}
- { name: SWITCHHOOK_PRINCIPALS, value: {{ printf "%s{}" .Values.kafka.external.userPrefix | quote }} }
{{- end }}
- { name: SWITCHHOOK_REGISTRY_URL, value: "http://{{ $name }}-registry-replicas:8080" }
- { name: SWITCHHOOK_FLOW_ENGINE_URL, value: "http://{{ $name }}-flow-engine-replicas:8080" }
- { name: SWITCHHOOK_DISPATCHER_URL, value: "http://{{ $name }}-dispatcher-replicas:8080" }
- { name: SWITCHHOOK_INGRESS_URL, value: "http://{{ $name }}-ingress-replicas:8080" }
{{- end }}

{{/* CloudNativePG keeps the superuser's password in a Secret of its own, which only `setup` gets. */}}
{{- define "switchhook.operations.superuser" -}}
{{- if .Values.postgres.cloudnativepg.enabled }}
{{- $name := include "switchhook.postgres.name" . }}
- { name: SWITCHHOOK_DATABASE_ADMIN, value: "postgresql://postgres@{{ $name }}-rw:5432/postgres?sslmode=verify-full&sslrootcert=/run/switchhook/postgres/ca.crt" }
- name: PGPASSWORD
  valueFrom: { secretKeyRef: { name: {{ $name }}-superuser, key: password } }
{{- end }}
{{- end }}

{{/* Whether `setup` has its servers before the release's own resources are there: then it runs before them. */}}
{{- define "switchhook.setup.first" -}}
{{- $servers := or .Values.kafka.strimzi.enabled .Values.postgres.cloudnativepg.enabled -}}
{{- if or (not $servers) .Release.IsUpgrade }}true{{ end -}}
{{- end }}

{{/* Two names: a release that is rolled back would else find the other kind of Job under its own. */}}
{{- define "switchhook.setup.name" -}}
{{ ternary "setup" "first-setup" (eq (include "switchhook.setup.first" .) "true") }}
{{- end }}
