{{/* How many pods a service has. Context: dict "root" "name". */}}

{{- define "switchhook.horizontalpodautoscaler" -}}
{{- $values := index .root.Values (include "switchhook.component" . | fromYaml).values -}}
{{- if eq .root.Values.autoscaling.kind "hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: StatefulSet
    name: {{ include "switchhook.fullname" .root }}-{{ .name }}
  minReplicas: {{ $values.autoscaling.min }}
  maxReplicas: {{ $values.autoscaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ .root.Values.autoscaling.cpuPercent }} }
  behavior:
    scaleDown: { stabilizationWindowSeconds: 300 }
{{- end -}}
{{- end }}

{{/* A trigger for each topic that the service's pods share; pods of ingress have requests to answer, too. */}}
{{- define "switchhook.scaledobject" -}}
{{- $values := index .root.Values (include "switchhook.component" . | fromYaml).values -}}
{{- $target := printf "%s-%s" (include "switchhook.fullname" .root) .name -}}
{{- if eq .root.Values.autoscaling.kind "keda" -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: StatefulSet, name: {{ $target }} }
  minReplicaCount: {{ $values.autoscaling.min }}
  maxReplicaCount: {{ $values.autoscaling.max }}
  pollingInterval: 15
  cooldownPeriod: 300
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown: { stabilizationWindowSeconds: 300 }
  triggers:
    {{- range index (.root.Files.Get "files/groups.json" | fromJson) .name }}
    - type: kafka
      metadata:
        {{- include "switchhook.lag" (dict "root" $.root "group" .) | nindent 8 }}
      authenticationRef: { name: {{ $target }} }
    {{- end }}
    {{- if eq .name "ingress" }}
    - type: cpu
      metricType: Utilization
      metadata: { value: {{ .root.Values.autoscaling.cpuPercent | quote }} }
    {{- end }}
{{- end -}}
{{- end }}

{{- define "switchhook.lag" -}}
{{- $prefix := .root.Values.settings.topicPrefix -}}
bootstrapServers: {{ include "switchhook.kafka.servers" .root | quote }}
topic: {{ $prefix }}{{ .group.topic }}
consumerGroup: {{ $prefix }}{{ .group.group }}
lagThreshold: {{ .root.Values.autoscaling.lagThreshold | quote }}
offsetResetPolicy: earliest
sasl: {{ get (dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512") (include "switchhook.kafka.mechanism" .root) }}
tls: {{ ternary "enable" "disable" (eq (include "switchhook.kafka.protocol" .root) "SASL_SSL") }}
{{- end }}

{{/* KEDA asks for the lag as the service itself would. */}}
{{- define "switchhook.triggerauthentication" -}}
{{- if eq .root.Values.autoscaling.kind "keda" -}}
{{- $password := include "switchhook.kafka.password" . | fromYaml -}}
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  env:
    - { parameter: username, name: SWITCHHOOK_KAFKA_USER, containerName: {{ .name }} }
  secretTargetRef:
    - { parameter: password, name: {{ $password.name }}, key: {{ $password.key }} }
    {{- with include "switchhook.kafka.ca" .root }}
    - { parameter: ca, name: {{ . }}, key: ca.crt }
    {{- end }}
{{- end -}}
{{- end }}
