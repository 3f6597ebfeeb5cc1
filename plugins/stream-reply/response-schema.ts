import type { FastifyReply } from 'fastify'
import type { SerializeRows } from './row-encoder.js'

export interface ResponseSchema {
  /** Undefined where the route has none for what it sends: all may be sent. */
  serialize: SerializeRows | undefined
  /** The columns that it leaves; undefined where that cannot be told. */
  shown: ReadonlySet<string> | undefined
}

const NONE: ResponseSchema = { serialize: undefined, shown: undefined }

/** Of JSON, whatever it is sent as: what a schema leaves out of that, a CSV does not have either. */
const OF_JSON = 'application/json'

/** What the response schemas of one route have to say of its replies. Compiled when the app is ready, they stay what they are. */
export class ResponseSchemas {
  readonly #found = new Map<string, ResponseSchema>()

  of (reply: FastifyReply, contentType: string): ResponseSchema {
    const key = `${reply.statusCode} ${contentType}`
    let schema = this.#found.get(key)
    if (schema === undefined) {
      schema = responseSchemaOf(reply, contentType)
      this.#found.set(key, schema)
    }
    return schema
  }
}

/** As Fastify would choose it, by status and type. */
function responseSchemaOf (reply: FastifyReply, contentType: string): ResponseSchema {
  const status = String(reply.statusCode)
  const [mediaType = ''] = contentType.split(';')
  for (const key of [status, `${status[0]}xx`, 'default']) {
    const compiled = reply.getSerializationFunction(key) as SerializeRows | Readonly<Record<string, SerializeRows>> | undefined
    if (compiled === undefined) continue
    const serialize = typeof compiled === 'function' ? compiled : compiled[mediaType] ?? compiled[OF_JSON] ?? compiled['*/*'] ?? Object.values(compiled)[0]
    return serialize === undefined ? NONE : { serialize, shown: shownBy(reply, key, mediaType) }
  }
  return NONE
}

interface Schema {
  type?: unknown
  $ref?: unknown
  items?: Schema
  properties?: Record<string, unknown>
  content?: Record<string, { schema?: Schema }>
}

function shownBy (reply: FastifyReply, key: string, mediaType: string): ReadonlySet<string> | undefined {
  const responses = reply.request.routeOptions.schema?.response as Record<string, Schema> | undefined
  const found = responses?.[key] ?? responses?.[key.toUpperCase()]
  const schema = found?.content === undefined ? found : (found.content[mediaType] ?? found.content[OF_JSON] ?? found.content['*/*'] ?? Object.values(found.content)[0])?.schema
  const items = resolved(reply, resolved(reply, schema)?.items)
  return items?.properties === undefined ? undefined : new Set(Object.keys(items.properties))
}

/** A schema that the app knows by its name. */
function resolved (reply: FastifyReply, schema: Schema | undefined): Schema | undefined {
  if (typeof schema?.$ref !== 'string') return schema
  return reply.server.getSchema(schema.$ref.replace(/#$/, '')) as Schema | undefined
}
