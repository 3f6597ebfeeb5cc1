import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type Document, Long, ObjectId, serialize } from 'bson'
import { gate, type Gate } from './gate.js'
import { type Request, requestReader, serializeReply } from './mongo-wire.js'

/**
 * What a driver takes for a standalone MongoDB. It has collections in memory, and knows what Mongoose needs to connect, `create`,
 * `find` by equality, and ping; to all else it answers with an error, as MongoDB does to a command that it does not know.
 */
export interface MongoServer {
  readonly url: string
  readonly port: number
  /** How many are open, those with which clients watch the server included. */
  readonly connections: number
  /** The names of the commands that have come, in their order, but for the greetings, which come in their own time. */
  readonly commands: readonly string[]
  /** Slow queries: each `find` from now on comes to this gate, and its answer waits there. */
  holdFinds(): Gate<void>
  /** Ends it as a crash does: cuts all connections, and refuses new ones. Its data stay for `restart`. */
  kill(): Promise<void>
  /** Listens again, on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

type Handler = (command: Document) => Document | Promise<Document>

/** Of MongoDB 7.0. */
const wireVersion = 21

export async function startMongoServer (): Promise<MongoServer> {
  const sockets = new Set<Socket>()
  const commands: string[] = []
  const handlers = new Map(Object.entries(collectionCommands()))
  let finds: Gate<void> | undefined
  let greeting: Document = {}
  let server: Server | undefined

  async function listen (port: number): Promise<number> {
    // A server that has been away is another process to those who watch it.
    greeting = { ...standalone, topologyVersion: { processId: new ObjectId(), counter: Long.ZERO } }
    server = createServer({ noDelay: true }, serve)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  function serve (socket: Socket): void {
    const read = requestReader()
    sockets.add(socket)
    socket.on('close', () => { sockets.delete(socket) })
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const request of read(chunk)) void answer(socket, request)
    })
  }

  async function answer (socket: Socket, request: Request): Promise<void> {
    const name = Object.keys(request.command)[0]!
    if (/^(hello|ismaster)$/i.test(name)) {
      greet(socket, request)
      return
    }
    commands.push(name)
    if (name === 'find') await finds?.pass()
    const handle = handlers.get(name)
    const reply = handle === undefined ? failure(59, 'CommandNotFound', `no such command: '${name}'`) : await handle(request.command)
    if (!request.silent) socket.write(serializeReply(request, reply))
  }

  /** One who knows us waits for news, of which there are none, and is told so again and again. */
  function greet (socket: Socket, request: Request): void {
    const reply = { ...greeting, localTime: new Date() }
    const { topologyVersion, maxAwaitTimeMS } = request.command
    if (topologyVersion === undefined || maxAwaitTimeMS === undefined) {
      socket.write(serializeReply(request, reply))
      return
    }
    const timer = setTimeout(() => {
      socket.write(serializeReply(request, reply, request.exhaust))
      if (request.exhaust) timer.refresh()
    }, Number(maxAwaitTimeMS))
    socket.once('close', () => { clearTimeout(timer) })
  }

  async function kill (): Promise<void> {
    const ends = [...sockets, ...(server?.listening === true ? [server] : [])]
    const closed = ends.map((end) => new Promise<void>((resolve) => { end.once('close', () => { resolve() }) }))
    server?.close()
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }

  const port = await listen(0)
  return {
    url: `mongodb://127.0.0.1:${port}/test`,
    port,
    get connections () { return sockets.size },
    commands,
    holdFinds () {
      finds = gate()
      return finds
    },
    kill,
    async restart () {
      await kill()
      await listen(port)
    },
    stop: kill
  }
}

const standalone = {
  isWritablePrimary: true,
  ismaster: true,
  helloOk: true,
  maxBsonObjectSize: 16 << 20,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: wireVersion,
  readOnly: false,
  ok: 1
}

/** By name, over collections that are kept in memory. */
function collectionCommands (): Record<string, Handler> {
  const collections = new Map<string, Document[]>()
  const all = (database: string, name: string): Document[] => collections.get(`${database}.${name}`) ?? []

  return {
    ping: () => ({ ok: 1 }),
    endSessions: () => ({ ok: 1 }),
    // Mongoose makes the collection and the indexes of each model, and wants to hear that they are there.
    create: () => ({ ok: 1 }),
    createIndexes: () => ({ ok: 1 }),
    dropDatabase ({ $db }) {
      for (const key of collections.keys()) if (key.startsWith(`${$db}.`)) collections.delete(key)
      return { ok: 1 }
    },
    insert ({ $db, insert, documents }) {
      collections.set(`${$db}.${insert}`, [...all($db, insert), ...documents])
      return { ok: 1, n: documents.length }
    },
    find ({ $db, find, filter = {}, limit = 0, ...rest }) {
      const unknown = ['sort', 'skip', 'projection'].find((option) => Object.keys(Object(rest[option])).length > 0)
      if (unknown !== undefined || !isEquality(filter)) return failure(2, 'BadValue', `cannot find by ${unknown ?? 'more than equality'}`)
      const found = all($db, find).filter((document) => Object.keys(filter).every((field) => isSame(document[field], filter[field])))
      return { ok: 1, cursor: { id: Long.ZERO, ns: `${$db}.${find}`, firstBatch: found.slice(0, Number(limit) || undefined) } }
    }
  }
}

function isEquality (filter: Document): boolean {
  return Object.entries(filter).every(([field, value]) => !/[.$]/.test(field) && !Object.keys(Object(value)).some((key) => key.startsWith('$')))
}

/** Where BSON is the same: without the rest of what MongoDB knows of equality, as that 1 is 1.0, or null nothing. */
function isSame (one: unknown, other: unknown): boolean {
  return Buffer.compare(serialize({ value: one }), serialize({ value: other })) === 0
}

function failure (code: number, codeName: string, errmsg: string): Document {
  return { ok: 0, code, codeName, errmsg }
}
