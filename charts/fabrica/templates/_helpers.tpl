{{/* The labels of every object of the release. Call with the component's name. */}}
{{- define "fabrica.labels" -}}
app.kubernetes.io/name: fabrica
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: fabrica
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* What selects a component's pods: it never changes, so that another release can take them over. */}}
{{- define "fabrica.selector" -}}
app.kubernetes.io/name: fabrica
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* A full image name. Call with root and image. */}}
{{- define "fabrica.image" -}}
{{- $name := printf "%s/%s" .root.Values.image.registry .image.repository }}
{{- if .image.digest }}{{ $name }}@{{ .image.digest }}
{{- else }}{{ $name }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Replicas on different nodes, where there are several. Call with root and component. */}}
{{- define "fabrica.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "fabrica.selector" . | nindent 6 }}
{{- end }}

{{/* What every pod of ours is allowed: nothing. */}}
{{- define "fabrica.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "fabrica.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* The archive's URL as an environment variable; nothing without a database. */}}
{{- define "fabrica.databaseEnvironment" -}}
{{- $secret := ternary "fabrica-database" .Values.database.existingSecret .Values.database.install }}
{{- with $secret -}}
- name: FABRICA_DATABASE_URL
  valueFrom: { secretKeyRef: { name: {{ . }}, key: url } }
{{- end }}
{{- end }}

{{/* The forges that forms search, as the gateway reads them. */}}
{{- define "fabrica.forges" -}}
{{- $told := list }}
{{- range $index, $forge := .Values.gateway.forges }}
{{- $one := dict "kind" $forge.kind "url" $forge.url }}
{{- if $forge.tokenSecret }}{{- $one = set $one "tokenFile" (printf "/etc/fabrica/forges/%d" $index) }}{{- end }}
{{- $told = append $told $one }}
{{- end }}
{{- toJson $told }}
{{- end }}

{{/* Their tokens as files, which follow their Secrets: none of them has to be there. Empty without any. */}}
{{- define "fabrica.forgeTokens" -}}
{{- range $index, $forge := .Values.gateway.forges }}
{{- with $forge.tokenSecret }}
- secret: { name: {{ . }}, optional: true, items: [{ key: token, path: {{ $index | quote }} }] }
{{- end }}
{{- end }}
{{- end }}
