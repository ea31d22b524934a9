{{/* Where Kafka and PostgreSQL are, and the Secrets that open them. */}}

{{- define "switchhook.kafka.name" -}}
{{ include "switchhook.fullname" . }}-kafka
{{- end }}

{{- define "switchhook.kafka.servers" -}}
{{- if .Values.kafka.strimzi.enabled -}}
{{ include "switchhook.kafka.name" . }}-kafka-bootstrap.{{ .Release.Namespace }}.svc:9093
{{- else -}}
{{ join "," .Values.kafka.external.bootstrapServers }}
{{- end -}}
{{- end }}

{{/* Ports of the brokers, as JSON. */}}
{{- define "switchhook.kafka.ports" -}}
{{- $ports := list -}}
{{- range splitList "," (include "switchhook.kafka.servers" .) }}{{ $ports = append $ports (splitList ":" . | last | int) }}{{ end -}}
{{- uniq $ports | toJson -}}
{{- end }}

{{/* A component's user on Kafka. Context: dict "root" "name"; the operations' one is the operator. */}}
{{- define "switchhook.kafka.user" -}}
{{- $who := .name | replace "operations" "operator" -}}
{{- if .root.Values.kafka.strimzi.enabled -}}
{{ include "switchhook.fullname" .root }}-{{ $who }}
{{- else -}}
{{ .root.Values.kafka.external.userPrefix }}{{ $who }}
{{- end -}}
{{- end }}

{{/* The Secret and the key of a component's password on Kafka. Context: dict "root" "name". */}}
{{- define "switchhook.kafka.password" -}}
{{- if .root.Values.kafka.strimzi.enabled -}}
name: {{ include "switchhook.kafka.user" . }}
key: password
{{- else -}}
name: {{ .root.Values.kafka.existingSecret }}
key: kafka_{{ .name | replace "operations" "operator" | replace "-" "_" }}
{{- end -}}
{{- end }}

{{/* The Secret with the authorities of the brokers' certificates; empty: those of the system. */}}
{{- define "switchhook.kafka.ca" -}}
{{- if .Values.kafka.strimzi.enabled -}}
{{ include "switchhook.kafka.name" . }}-cluster-ca-cert
{{- else -}}
{{ .Values.kafka.external.caSecret }}
{{- end -}}
{{- end }}

{{- define "switchhook.kafka.protocol" -}}
{{ ternary "SASL_SSL" .Values.kafka.external.securityProtocol .Values.kafka.strimzi.enabled }}
{{- end }}

{{- define "switchhook.kafka.mechanism" -}}
{{ ternary "SCRAM-SHA-512" .Values.kafka.external.mechanism .Values.kafka.strimzi.enabled }}
{{- end }}

{{- define "switchhook.postgres.name" -}}
{{ include "switchhook.fullname" . }}-postgres
{{- end }}

{{/* The Secret with the authorities of PostgreSQL's certificate; empty: none is mounted. */}}
{{- define "switchhook.postgres.ca" -}}
{{- if .Values.postgres.cloudnativepg.enabled -}}
{{ include "switchhook.postgres.name" . }}-ca
{{- else -}}
{{ .Values.postgres.external.caSecret }}
{{- end -}}
{{- end }}
