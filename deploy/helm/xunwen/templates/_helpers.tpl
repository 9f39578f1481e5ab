{{/* A name of more than 40 characters is cut and gets a part of the release's digest, which no other release has. A
release of version 0.1.0 keeps its names, which were cut only. */}}
{{- define "xunwen.fullname" -}}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- if le (len $whole) 40 -}}
{{- $whole -}}
{{- else -}}
{{- $cut := $whole | trunc 40 | trimSuffix "-" -}}
{{- $present := (lookup "v1" "Service" .Release.Namespace (printf "%s-gateway" $cut)) | default dict -}}
{{- $notes := ($present.metadata | default dict).annotations | default dict -}}
{{- if eq (index $notes "meta.helm.sh/release-name" | default "") .Release.Name -}}
{{- $cut -}}
{{- else -}}
{{- printf "%s-%s" ($whole | trunc 33 | trimSuffix "-") (sha256sum .Release.Name | trunc 6) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* (list $ "gateway") -> the name of that component's objects */}}
{{- define "xunwen.name" -}}
{{ include "xunwen.fullname" (first .) }}-{{ last . }}
{{- end -}}

{{- define "xunwen.selector" -}}
app.kubernetes.io/name: {{ (first .).Chart.Name }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "xunwen.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: xunwen
{{ include "xunwen.selector" . }}
{{- end -}}

{{- define "xunwen.metadata" -}}
name: {{ include "xunwen.name" . }}
namespace: {{ (first .).Release.Namespace }}
labels: {{- include "xunwen.labels" . | nindent 2 }}
{{- end -}}

{{/* (dict "root" $ "name" "recall") -> the service's values over the defaults, as YAML */}}
{{- define "xunwen.service" -}}
{{- $own := index .root.Values.services .name | default dict -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $own)) -}}
{{- end -}}

{{/* (list $ "repository:tag") -> the reference, behind the one registry if there is one */}}
{{- define "xunwen.imageReference" -}}
{{- $registry := (first .).Values.global.imageRegistry -}}
{{- if $registry -}}{{ trimSuffix "/" $registry }}/{{- end -}}{{ last . }}
{{- end -}}

{{/* (list $ "gateway") -> the image of that Dockerfile target */}}
{{- define "xunwen.image" -}}
{{- $root := first . -}}
{{- $tag := $root.Values.image.tag | default $root.Chart.AppVersion -}}
{{- include "xunwen.imageReference" (list $root (printf "%s-%s:%s" $root.Values.image.repository (last .) $tag)) -}}
{{- end -}}

{{- define "xunwen.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "xunwen.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "xunwen.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* A value as text. Helm keeps numbers as floats, which templates print as 2e+06; JSON prints 2000000. */}}
{{- define "xunwen.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* (list $ $svc) -> what the pod spec of every pod has: services, built-in stores and the test */}}
{{- define "xunwen.podSpec" -}}
{{- $root := first . -}}
{{- $svc := last . -}}
serviceAccountName: {{ include "xunwen.serviceAccount" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.global.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $svc.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $svc $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* (list $ "recall" $svc) -> the labels of that component's pods */}}
{{- define "xunwen.podLabels" -}}
{{ include "xunwen.labels" (list (first .) (index . 1)) }}
{{- with (last .).podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (list "secret" $svc) -> `envFrom`: the credentials of an object store, if any, and the service's own sources */}}
{{- define "xunwen.envFrom" -}}
{{- $sources := (last .).envFrom | default list -}}
{{- with first . -}}
{{- $sources = prepend $sources (dict "secretRef" (dict "name" .)) -}}
{{- end -}}
{{- toYaml $sources -}}
{{- end -}}

{{/* (list $ "state") -> the Secret that holds the store's url */}}
{{- define "xunwen.storeSecret" -}}
{{- $store := index (first .).Values.stores (last .) -}}
{{- $store.existingSecret | default (include "xunwen.name" .) -}}
{{- end -}}

{{- define "xunwen.tokenSecret" -}}
{{- .Values.internalToken.existingSecret | default (include "xunwen.name" (list . "internal-token")) -}}
{{- end -}}

{{- define "xunwen.operatorSecret" -}}
{{- .Values.operatorKey.existingSecret | default (include "xunwen.name" (list . "operator-key")) -}}
{{- end -}}

{{/* (list $ "secret" "key") -> the present value of a Secret's key, else a new random one: an upgrade keeps it */}}
{{- define "xunwen.keptOrRandom" -}}
{{- $root := first . -}}
{{- $present := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- $data := ($present | default dict).data | default dict -}}
{{- with index $data (index . 2) -}}{{ . | b64dec }}{{- else -}}{{ randAlphaNum 40 }}{{- end -}}
{{- end -}}

{{/* (list $ "gateway") -> its address inside the cluster */}}
{{- define "xunwen.address" -}}
{{- $svc := include "xunwen.service" (dict "root" (first .) "name" (last .)) | fromYaml -}}
http://{{ include "xunwen.name" . }}:{{ $svc.port }}
{{- end -}}

{{/* Where a model's directory is, in the pod */}}
{{- define "xunwen.modelDir" -}}
{{- $models := (first .).Values.models -}}
{{- ternary $models.path "/models" (eq $models.source "image") }}/{{ last . }}
{{- end -}}

{{/* The directories of further encoders as a JSON list */}}
{{- define "xunwen.encoderDirs" -}}
{{- $dirs := list -}}
{{- range .Values.models.encoders }}{{ $dirs = append $dirs (include "xunwen.modelDir" (list $ .)) }}{{ end -}}
{{ toJson $dirs }}
{{- end -}}

{{/* (list $ $svc) -> "true" where a service cuts words and there are user dictionaries for it */}}
{{- define "xunwen.cutsWords" -}}
{{- if and (eq ((index . 1).model | default "") "encoder") (index . 0).Values.dictionaries }}true{{ end }}
{{- end -}}

{{/* $ -> the least number of workers at a time, of all pools together */}}
{{- define "xunwen.expectedWorkers" -}}
{{- $workers := 0 -}}
{{- range $name, $_ := .Values.services -}}
{{- $svc := include "xunwen.service" (dict "root" $ "name" $name) | fromYaml -}}
{{- if has "services.indexer.worker" $svc.command -}}
{{- $workers = add $workers (ternary $svc.autoscaling.minReplicas $svc.replicas $svc.autoscaling.enabled) -}}
{{- end -}}
{{- end -}}
{{ $workers }}
{{- end -}}

{{/* (list "ingress.annotations" $map) -> nothing; fails where a value is no string */}}
{{- define "xunwen.onlyStrings" -}}
{{- $where := first . -}}
{{- range $key, $value := last . -}}
{{- if not (kindIs "string" $value) -}}
{{- fail (printf "%s.%s: is no text; quote it: %q." $where $key (include "xunwen.text" $value)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The ports of DNS. A policy sees the port of the pod, not that of its Service; OpenShift's listens on 5353. */}}
{{- define "xunwen.dnsPorts" -}}
- {port: 53, protocol: UDP}
- {port: 53, protocol: TCP}
- {port: 5353, protocol: UDP}
- {port: 5353, protocol: TCP}
{{- end -}}

{{/* $ -> a JSON list of the ports outside that services call: those named, and those in addresses of the values */}}
{{- define "xunwen.externalPorts" -}}
{{- $addresses := list (.Values.tracing.endpoint | default "") -}}
{{- range .Values.stores }}{{ $addresses = append $addresses (.url | default "") }}{{ end -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.externalPorts }}{{ $ports = append $ports (int64 .) }}{{ end -}}
{{- range $addresses -}}
{{- $authority := regexReplaceAll "[/?].*$" (last (splitList "://" .)) "" -}}
{{- range splitList "," (last (splitList "@" $authority)) -}}
{{- with regexFind ":[0-9]+$" . }}{{ $ports = append $ports (int64 (trimPrefix ":" .)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{ toJson (uniq $ports) }}
{{- end -}}
