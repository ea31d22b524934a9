{{/* The edges of one component; what is not here is denied. Context: dict "root" "name". */}}
{{- define "switchhook.networkpolicy" -}}
{{- if .root.Values.networkPolicies.enabled -}}
{{- $component := include "switchhook.component" . | fromYaml -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "switchhook.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- if ne .name "operations" }}
  ingress:
    {{- include "switchhook.edges.in" .root | nindent 4 }}
  {{- end }}
  egress:
    {{- include "switchhook.edges.dns" .root | nindent 4 }}
    {{- include "switchhook.edges.kafka" .root | nindent 4 }}
    {{- if ne .name "ingress" }}
    {{- include "switchhook.edges.postgres" .root | nindent 4 }}
    {{- end }}
    {{- if eq .name "operations" }}
    {{- include "switchhook.edges.services" .root | nindent 4 }}
    {{- else if .root.Values.settings.otlpEndpoint }}
    {{- include "switchhook.edges.collector" .root | nindent 4 }}
    {{- end }}
    {{- if eq .name "dispatcher" }}
    {{- include "switchhook.edges.outside" .root | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* The gateway, Prometheus and the operator's commands to a service. */}}
{{- define "switchhook.edges.in" -}}
- from:
    {{- range list .Values.networkPolicies.gateway .Values.networkPolicies.prometheus }}
    {{- with . }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
    - podSelector:
        matchLabels:
          {{- include "switchhook.selector" (dict "root" . "name" "operations") | nindent 10 }}
  ports: [{ protocol: TCP, port: 8080 }]
{{- end }}

{{- define "switchhook.edges.dns" -}}
- to:
    {{- toYaml .Values.networkPolicies.dns | nindent 4 }}
  ports: [{ protocol: UDP, port: 53 }, { protocol: TCP, port: 53 }]
{{- end }}

{{- define "switchhook.edges.kafka" -}}
- to:
    {{- if .Values.kafka.strimzi.enabled }}
    - podSelector: { matchLabels: { strimzi.io/cluster: {{ include "switchhook.kafka.name" . }}, strimzi.io/kind: Kafka } }
    {{- else }}
    {{- toYaml .Values.networkPolicies.kafka | nindent 4 }}
    {{- end }}
  ports:
    {{- range include "switchhook.kafka.ports" . | fromJsonArray }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end }}

{{- define "switchhook.edges.postgres" -}}
- to:
    {{- if .Values.postgres.cloudnativepg.enabled }}
    - podSelector: { matchLabels: { cnpg.io/cluster: {{ include "switchhook.postgres.name" . }} } }
    {{- else }}
    {{- toYaml .Values.networkPolicies.postgres | nindent 4 }}
    {{- end }}
  ports: [{ protocol: TCP, port: {{ .Values.postgres.port }} }]
{{- end }}

{{- define "switchhook.edges.services" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "switchhook.selector" (dict "root" .) | nindent 10 }}
        matchExpressions:
          - { key: app.kubernetes.io/component, operator: In, values: {{ include "switchhook.services" . }} }
  ports: [{ protocol: TCP, port: 8080 }]
{{- end }}

{{- define "switchhook.edges.collector" -}}
- to:
    {{- toYaml .Values.networkPolicies.collector | nindent 4 }}
  ports: [{ protocol: TCP, port: {{ include "switchhook.collector.port" . }} }]
{{- end }}

{{- define "switchhook.collector.port" -}}
{{- $url := urlParse .Values.settings.otlpEndpoint -}}
{{- $parts := splitList ":" $url.host -}}
{{- if gt (len $parts) 1 }}{{ last $parts }}{{ else }}{{ ternary 443 80 (eq $url.scheme "https") }}{{ end -}}
{{- end }}

{{/* Public addresses on the ports that the dispatcher takes for them, and the networks that the settings allow on any port. */}}
{{- define "switchhook.edges.outside" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          {{- range list "0.0.0.0/8" "10.0.0.0/8" "100.64.0.0/10" "127.0.0.0/8" "168.63.129.16/32" "169.254.0.0/16" "172.16.0.0/12" "192.0.0.0/24" "192.0.2.0/24" "192.88.99.0/24" "192.168.0.0/16" "198.18.0.0/15" "198.51.100.0/24" "203.0.113.0/24" "224.0.0.0/4" "240.0.0.0/4" }}
          - {{ . }}
          {{- end }}
    - ipBlock:
        cidr: 2000::/3
        except: ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]
  ports: [{ protocol: TCP, port: 80 }, { protocol: TCP, port: 443 }, { protocol: TCP, port: 8443 }]
{{- with .Values.settings.allowedNetworks }}
- to:
    {{- range . }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
{{- end }}
{{- end }}
