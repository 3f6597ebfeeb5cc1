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

interface Schema {
  type?: unknown
  $ref?: unknown
  items?: Schema
  properties?: Record<string, unknown>
  content?: Record<string, { schema?: Schema }>
}

/** As Fastify would choose it, by status and type. */
function responseSchemaOf (reply: FastifyReply, contentType: string): ResponseSchema {
  const status = String(reply.statusCode)
  const [mediaType = ''] = contentType.split(';')
  for (const key of [status, `${status[0]}xx`, 'default']) {
    const compiled = reply.getSerializationFunction(key) as SerializeRows | Readonly<Record<string, SerializeRows>> | undefined
    if (compiled === undefined) continue
    const responses = reply.request.routeOptions.schema?.response as Record<string, Schema> | undefined
    const schema = responses?.[key] ?? responses?.[key.toUpperCase()]
    if (typeof compiled === 'function') return { serialize: compiled, shown: shownBy(reply, schema) }
    const isOfRows = (type: string): boolean => compiled[type] !== undefined && resolved(reply, schema?.content?.[type]?.schema)?.type !== 'string'
    // That a CSV is a text says nothing of its rows.
    const type = [mediaType, OF_JSON, '*/*', ...Object.keys(compiled)].find(isOfRows)
    return type === undefined ? NONE : { serialize: compiled[type], shown: shownBy(reply, schema?.content?.[type]?.schema) }
  }
  return NONE
}

function shownBy (reply: FastifyReply, schema: Schema | undefined): ReadonlySet<string> | undefined {
  const items = resolved(reply, resolved(reply, schema)?.items)
  return items?.properties === undefined ? undefined : new Set(Object.keys(items.properties))
}

/** A schema that the app knows by its name. */
function resolved (reply: FastifyReply, schema: Schema | undefined): Schema | undefined {
  if (typeof schema?.$ref !== 'string') return schema
  return reply.server.getSchema(schema.$ref.replace(/#$/, '')) as Schema | undefined
}
