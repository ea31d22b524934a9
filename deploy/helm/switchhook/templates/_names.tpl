{{/* The release's name, which begins the names of all that the chart makes: 40 characters at most. */}}
{{- define "switchhook.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "switchhook" $name) -}}{{- $name = printf "%s-switchhook" $name -}}{{- end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Labels by which the pods of this release are chosen; with a component, those of one. Context: dict "root" "name". */}}
{{- define "switchhook.selector" -}}
app.kubernetes.io/name: switchhook
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* Chooses all pods of this release's own, and none of Kafka or PostgreSQL, whose operators may hand labels on. Context: the root. */}}
{{- define "switchhook.selector.all" -}}
matchLabels:
  {{- include "switchhook.selector" (dict "root" .) | nindent 2 }}
matchExpressions:
  - { key: app.kubernetes.io/component, operator: In, values: {{ append (include "switchhook.services" . | fromJsonArray) "operations" | toJson }} }
{{- end }}

{{/* Labels of everything that the chart makes. Context: dict "root" "name". */}}
{{- define "switchhook.labels" -}}
{{ include "switchhook.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* metadata of a component's object, named after it. Context: dict "root" "name" and perhaps "suffix". */}}
{{- define "switchhook.metadata" -}}
name: {{ include "switchhook.fullname" .root }}-{{ .name }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "switchhook.labels" . | nindent 2 }}
{{- end }}

{{/* What a component is: its values and what it needs, as YAML. Context: dict "root" "name". */}}
{{- define "switchhook.component" -}}
{{- $found := index (dict
  "ingress" (dict "values" "ingress" "secrets" (list "kek" "link_key"))
  "flow-engine" (dict "values" "flowEngine" "schema" "flow_engine" "secrets" (list "link_key"))
  "dispatcher" (dict "values" "dispatcher" "schema" "dispatcher" "secrets" (list "kek"))
  "registry" (dict "values" "registry" "schema" "registry" "secrets" (list "kek" "link_key"))
  "operations" (dict "values" "jobs" "secrets" (list "kek" "link_key"))) .name -}}
{{- toYaml $found -}}
{{- end }}

{{- define "switchhook.services" -}}
["ingress", "flow-engine", "dispatcher", "registry"]
{{- end }}

{{/* Image of a component. Context: dict "root" "name" "values". */}}
{{- define "switchhook.image" -}}
{{- $images := .root.Values.images -}}
{{ $images.prefix }}/{{ .name }}:{{ .values.tag | default $images.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* `helm uninstall` leaves what holds data: its metadata has this as well. */}}
{{- define "switchhook.kept" -}}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
