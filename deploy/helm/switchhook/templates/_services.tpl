{{/* A service's StatefulSet: pods with stable names, so that a restarted one gets its partitions back at once.
     Context: dict "root" "name". */}}
{{- define "switchhook.statefulset" -}}
{{- $component := include "switchhook.component" . | fromYaml -}}
{{- $values := index .root.Values $component.values -}}
{{- $here := merge (dict "values" $values "component" $component) . -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  {{- if eq .root.Values.autoscaling.kind "none" }}
  replicas: {{ $values.replicas }}
  {{- end }}
  serviceName: {{ include "switchhook.fullname" .root }}-{{ .name }}-replicas
  podManagementPolicy: Parallel
  updateStrategy: { type: RollingUpdate }
  minReadySeconds: 5
  selector:
    matchLabels:
      {{- include "switchhook.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "switchhook.labels" . | nindent 8 }}
      {{- with $values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "switchhook.pod" $here | nindent 6 }}
      terminationGracePeriodSeconds: {{ add .root.Values.settings.drainSeconds 25 }}
      topologySpreadConstraints:
        {{- include "switchhook.spread" . | trim | nindent 8 }}
      containers:
        - name: {{ .name }}
          {{- include "switchhook.container" $here | nindent 10 }}
          ports:
            - { name: http, containerPort: 8080 }
          env:
            {{- include "switchhook.settings" $here | nindent 12 }}
            {{- include "switchhook.settings.service" $here | nindent 12 }}
          {{- include "switchhook.probes" . | nindent 10 }}
{{- end }}

{{/* Pods of a service are spread over zones, then over nodes. */}}
{{- define "switchhook.spread" -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "switchhook.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* The gateway learns of a pod's end during the five seconds before SIGTERM. */}}
{{- define "switchhook.probes" -}}
startupProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /health/ready, port: http }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
lifecycle:
  preStop:
    sleep: { seconds: 5 }
{{- end }}

{{/* Settings of services alone. */}}
{{- define "switchhook.settings.service" -}}
{{- $settings := .root.Values.settings -}}
- name: SWITCHHOOK_INSTANCE
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- { name: SWITCHHOOK_HOST, value: 0.0.0.0 }
- { name: SWITCHHOOK_PORT, value: "8080" }
- { name: SWITCHHOOK_PUBLIC_URL, value: {{ $settings.publicUrl | quote }} }
{{- with $settings.trustedProxies }}
- { name: SWITCHHOOK_TRUSTED_PROXIES, value: {{ join "," . | quote }} }
{{- end }}
{{- with $settings.allowedNetworks }}
- { name: SWITCHHOOK_ALLOWED_NETWORKS, value: {{ join "," . | quote }} }
{{- end }}
- { name: SWITCHHOOK_DRAIN_SECONDS, value: {{ $settings.drainSeconds | quote }} }
- { name: SWITCHHOOK_LOG_LEVEL, value: {{ $settings.logLevel }} }
{{- with $settings.otlpEndpoint }}
- { name: SWITCHHOOK_OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- range $name, $value := .values.settings }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}

{{/* Two Services: one address for gateways, and a name that resolves to each pod, ready or not. Context: dict "root" "name". */}}
{{- define "switchhook.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "switchhook.selector" . | nindent 4 }}
  ports:
    - { name: http, port: 8080, targetPort: http, appProtocol: http }
---
apiVersion: v1
kind: Service
metadata:
  {{- include "switchhook.metadata" (merge (dict "suffix" "-replicas") .) | nindent 2 }}
    switchhook/replicas: "true"
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "switchhook.selector" . | nindent 4 }}
  ports:
    - { name: http, port: 8080, targetPort: http, appProtocol: http }
{{- end }}

{{- define "switchhook.poddisruptionbudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "switchhook.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "switchhook.selector" . | nindent 6 }}
{{- end }}
