{{/* The paths of files/routes.json, which is made from contracts. */}}
{{- define "switchhook.routes" -}}
{{- .Files.Get "files/routes.json" -}}
{{- end }}

{{/* The Service that a row names; none: the one behind which nothing is. Context: dict "root" "service". */}}
{{- define "switchhook.backend" -}}
{{ include "switchhook.fullname" .root }}-{{ .service | default "nowhere" }}
{{- end }}

{{- define "switchhook.host" -}}
{{ (urlParse .Values.settings.publicUrl).host | splitList ":" | first }}
{{- end }}
