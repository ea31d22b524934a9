{{/* Refuses values that do not go together, with a sentence. Included once, in templates/networkpolicies. */}}
{{- define "switchhook.checks" -}}
{{- $v := .Values -}}
{{- if not $v.images.prefix }}{{ fail "images.prefix has to say where the images are, such as registry.example.com/switchhook: the chart takes none from a registry that it does not know." }}{{ end -}}
{{- if not $v.existingSecret }}{{ fail "existingSecret has to name a Secret with the keys admin_token, admin_token_digest, kek and link_key: the chart makes no secret of its own." }}{{ end -}}
{{- if not $v.postgres.existingSecret }}{{ fail "postgres.existingSecret has to name a Secret with the DSNs database_registry, database_flow_engine and database_dispatcher." }}{{ end -}}
{{- if not $v.settings.publicUrl }}{{ fail "settings.publicUrl has to say where the outside reaches the gateway, such as https://bots.example.com." }}{{ end -}}
{{- include "switchhook.checks.kafka" . -}}
{{- include "switchhook.checks.gateway" . -}}
{{- include "switchhook.checks.edges" . -}}
{{- range $name := include "switchhook.services" . | fromJsonArray }}{{ include "switchhook.checks.members" (dict "root" $ "name" $name) }}{{ end -}}
{{- end }}

{{- define "switchhook.checks.kafka" -}}
{{- $kafka := .Values.kafka -}}
{{- if not $kafka.strimzi.enabled -}}
{{- if not $kafka.existingSecret }}{{ fail "kafka.existingSecret has to name a Secret with the passwords kafka_ingress, kafka_flow_engine, kafka_dispatcher, kafka_registry and kafka_operator, or kafka.strimzi.enabled be true." }}{{ end -}}
{{- if not $kafka.external.bootstrapServers }}{{ fail "kafka.external.bootstrapServers has to name brokers, or kafka.strimzi.enabled be true." }}{{ end -}}
{{- else if gt (int $kafka.topicReplicas) (int $kafka.strimzi.brokers) }}{{ fail "kafka.topicReplicas is larger than kafka.strimzi.brokers: a broker keeps one copy of a partition." }}{{ end -}}
{{- end }}

{{- define "switchhook.checks.gateway" -}}
{{- $gateway := .Values.gateway -}}
{{- if and (eq $gateway.kind "httpRoute") (not $gateway.httpRoute.parentRefs) }}{{ fail "gateway.httpRoute.parentRefs has to name the Gateway that the route belongs to." }}{{ end -}}
{{- if and (eq $gateway.kind "ingress") (not $gateway.ingress.className) }}{{ fail "gateway.ingress.className has to name the class of the Ingress." }}{{ end -}}
{{- end }}

{{- define "switchhook.checks.edges" -}}
{{- $edges := .Values.networkPolicies -}}
{{- if $edges.enabled -}}
{{- $needed := dict
  "gateway" (ne .Values.gateway.kind "none")
  "prometheus" .Values.observability.serviceMonitor
  "kafka" (not .Values.kafka.strimzi.enabled)
  "postgres" (not .Values.postgres.cloudnativepg.enabled)
  "collector" (not (empty .Values.settings.otlpEndpoint)) -}}
{{- range $edge, $is := $needed -}}
{{- if and $is (empty (index $edges $edge)) }}{{ fail (printf "networkPolicies.%s has to say which peers these are, or networkPolicies.enabled be false." $edge) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Never more members of a group than partitions: the others would have nothing to do. Context: dict "root" "name". */}}
{{- define "switchhook.checks.members" -}}
{{- $values := index .root.Values (include "switchhook.component" . | fromYaml).values -}}
{{- $scaled := ne .root.Values.autoscaling.kind "none" -}}
{{- $most := int (ternary $values.autoscaling.max $values.replicas $scaled) -}}
{{- $key := ternary "autoscaling.max" "replicas" $scaled -}}
{{- range index (.root.Files.Get "files/groups.json" | fromJson) .name -}}
{{- $partitions := int .partitions -}}
{{- if .sized }}{{ $partitions = int ($.root.Values.kafka.topicPartitions | default .partitions) }}{{ end -}}
{{- if gt $most $partitions }}{{ fail (printf "%s of %s is %d, and %s has %d partitions: a pod more would have nothing to do. Of inbound, actions and events kafka.topicPartitions says how many there are." $key $.name $most .topic $partitions) }}{{ end -}}
{{- end -}}
{{- if and $scaled (gt (int $values.autoscaling.min) $most) }}{{ fail (printf "autoscaling.min of %s is larger than its autoscaling.max." .name) }}{{ end -}}
{{- end }}
