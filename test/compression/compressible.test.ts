import t from 'tap'
import { isCompressible } from '../../plugins/compression/compressible.js'

t.test('texts, JSON in all its forms and other types that gain are compressed', async (t) => {
  for (const type of [
    'text/html', 'text/css; charset=utf-8', 'text/event-stream', 'text/x-unheard-of', 'application/json', 'Application/JSON; charset=UTF-8', 'application/problem+json', 'application/x-ndjson',
    'application/jsonl', 'application/json-seq', 'application/geo+json-seq', 'application/vnd.of-nobody+xml', 'image/svg+xml', 'application/javascript', 'application/wasm'
  ]) t.ok(isCompressible(type), type)
})

t.test('what is compressed already, and what nobody knows, is left as it is', async (t) => {
  for (const type of [
    undefined, '', ';', 'image/png', 'image/jpeg', 'image/webp', 'video/mp4', 'audio/mpeg', 'application/zip', 'application/gzip', 'application/pdf', 'font/woff2',
    'application/x-unheard-of', '__proto__', 'constructor', 'text'
  ]) t.notOk(isCompressible(type), String(type))
})
