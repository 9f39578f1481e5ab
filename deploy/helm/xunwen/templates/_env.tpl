{{/* (dict "root" $ "name" $name "svc" $svc) -> the environment of a service */}}
{{- define "xunwen.env" -}}
{{- $root := .root -}}
{{- $svc := .svc -}}
{{- $prefix := $svc.prefix -}}
- {name: {{ $prefix }}{{ $svc.portVariable }}, value: {{ include "xunwen.text" $svc.port | quote }}}
- {name: {{ $prefix }}DRAIN_SECONDS, value: {{ include "xunwen.text" $svc.drainSeconds | quote }}}
{{- if $svc.internalToken }}
- name: {{ $prefix }}INTERNAL_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ include "xunwen.tokenSecret" $root }}, key: {{ $root.Values.internalToken.key }}}
{{- end }}
{{- if $svc.public }}
- name: {{ $prefix }}OPERATOR_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "xunwen.operatorSecret" $root }}, key: {{ $root.Values.operatorKey.key }}}
{{- end }}
{{- range $variable, $callee := $svc.calls }}
- {name: {{ $prefix }}{{ $variable }}, value: {{ include "xunwen.address" (list $root $callee) | quote }}}
{{- end }}
{{- range $variable, $reference := $svc.stores }}
{{- $parts := splitList "/" $reference }}
- name: {{ $prefix }}{{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "xunwen.storeSecret" (list $root (first $parts)) }}
      key: {{ ternary "url" (last $parts) (eq (len $parts) 1) }}
      {{- if gt (len $parts) 1 }}
      optional: true
      {{- end }}
{{- end }}
{{- if $svc.model }}
- {name: {{ $prefix }}MODEL_DIR, value: {{ include "xunwen.modelDir" (list $root (index $root.Values.models $svc.model)) | quote }}}
{{- if and (eq $svc.model "encoder") $root.Values.models.encoders }}
- {name: {{ $prefix }}ENCODERS, value: {{ include "xunwen.encoderDirs" $root | quote }}}
{{- end }}
{{- end }}
{{- if include "xunwen.cutsWords" (list $root $svc) }}
- {name: {{ $prefix }}DICTIONARIES, value: /dictionaries}
{{- end }}
{{- if $svc.threads }}
- name: {{ $prefix }}THREADS
  valueFrom:
    resourceFieldRef: {containerName: {{ .name }}, resource: requests.cpu, divisor: "1"}
{{- end }}
{{- if $svc.jobStorage }}
- {name: {{ $prefix }}STORAGE_URL, value: {{ $root.Values.jobStorage.url | default "/jobs" | quote }}}
{{ include "xunwen.objectStoreEnv" $root }}
{{- end }}
{{- with $root.Values.tracing.endpoint }}
- {name: {{ $prefix }}TRACE_ENDPOINT, value: {{ . | quote }}}
- {name: {{ $prefix }}TRACE_SAMPLE_RATIO, value: {{ include "xunwen.text" $root.Values.tracing.sampleRatio | quote }}}
{{- end }}
{{- range $variable, $value := $svc.env }}
- {name: {{ $prefix }}{{ $variable }}, value: {{ tpl (include "xunwen.text" $value) $root | quote }}}
{{- end }}
{{ include "xunwen.extraEnv" $svc }}
{{- end -}}

{{/* $ -> how object stores are reached */}}
{{- define "xunwen.objectStoreEnv" -}}
{{- with .Values.objectStore }}
- {name: XUNWEN_S3_ADDRESSING, value: {{ .addressing }}}
{{- with .ca }}
- {name: XUNWEN_S3_CA, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* $svc -> its `extraEnv`, with every plain value as text */}}
{{- define "xunwen.extraEnv" -}}
{{- range $variable := .extraEnv }}
- name: {{ $variable.name }}
  {{- with $variable.valueFrom }}
  valueFrom: {{- toYaml . | nindent 4 }}
  {{- else }}
  value: {{ ternary (include "xunwen.text" $variable.value) "" (hasKey $variable "value") | quote }}
  {{- end }}
{{- end }}
{{- end -}}
