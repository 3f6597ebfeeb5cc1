import { deserialize, type Document, serialize } from 'bson'

/** A command as it came, by OP_MSG or, as drivers still greet a server they do not know, by OP_QUERY. */
export interface Request {
  id: number
  /** As BSON has it, not as JavaScript likes it: `Int32`, `Long` and `Double` stay what they are. */
  command: Document
  /** Whether the reply must be an OP_REPLY. */
  legacy: boolean
  /** Whether no reply is wanted, as to a write that nobody waits for. */
  silent: boolean
  /** Whether one request may get many replies. */
  exhaust: boolean
}

const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013

const CHECKSUM_PRESENT = 1
const MORE_TO_COME = 1 << 1
const EXHAUST_ALLOWED = 1 << 16

const headerLength = 16
const checksumLength = 4

/** Takes what TCP delivers, in whatever pieces, and gives what is complete. */
export function requestReader (): (chunk: Buffer) => Request[] {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const requests: Request[] = []
    while (rest.length >= headerLength && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0)
      requests.push(parseRequest(rest.subarray(0, length)))
      rest = rest.subarray(length)
    }
    return requests
  }
}

function parseRequest (message: Buffer): Request {
  const id = message.readInt32LE(4)
  const opCode = message.readInt32LE(12)
  if (opCode === OP_QUERY) return { id, command: parseQuery(message), legacy: true, silent: false, exhaust: false }
  if (opCode !== OP_MSG) throw new Error(`cannot read opcode ${opCode}`)
  const flags = message.readUInt32LE(headerLength)
  // What the checksum says is not looked at: TCP has one of its own.
  const sections = message.subarray(headerLength + 4, message.length - (flags & CHECKSUM_PRESENT ? checksumLength : 0))
  return { id, command: parseSections(sections), legacy: false, silent: (flags & MORE_TO_COME) !== 0, exhaust: (flags & EXHAUST_ALLOWED) !== 0 }
}

/** One section is the command; the others are arrays of it, sent apart because they are long. */
function parseSections (bytes: Buffer): Document {
  const command: Document = {}
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at]!
    if (kind > 1) throw new Error(`cannot read a section of kind ${kind}`)
    const start = at + 1
    const end = start + bytes.readInt32LE(start)
    if (kind === 0) {
      Object.assign(command, parseDocument(bytes.subarray(start, end)))
    } else {
      const nameEnd = bytes.indexOf(0, start + 4)
      command[bytes.toString('utf8', start + 4, nameEnd)] = parseDocuments(bytes.subarray(nameEnd + 1, end))
    }
    at = end
  }
  return command
}

/** Of a query we want but the command: before it come flags, the name of a collection, and two counts. */
function parseQuery (message: Buffer): Document {
  const nameEnd = message.indexOf(0, headerLength + 4)
  return parseDocuments(message.subarray(nameEnd + 1 + 8))[0]!
}

function parseDocuments (bytes: Buffer): Document[] {
  const documents: Document[] = []
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at)) {
    documents.push(parseDocument(bytes.subarray(at, at + bytes.readInt32LE(at))))
  }
  return documents
}

function parseDocument (bytes: Buffer): Document {
  return deserialize(bytes, { promoteValues: false, bsonRegExp: true })
}

/** The reply to the request; with `moreToCome`, others to the same request follow. */
export function serializeReply ({ id, legacy }: Request, reply: Document, moreToCome = false): Buffer {
  // An OP_REPLY has flags, an int64 for a cursor, where the documents start, and how many there are.
  const before = Buffer.alloc(legacy ? 20 : 5)
  if (legacy) before.writeInt32LE(1, 16)
  else before.writeUInt32LE(moreToCome ? MORE_TO_COME : 0, 0)
  const document = serialize(reply)
  const header = Buffer.alloc(headerLength)
  header.writeInt32LE(headerLength + before.length + document.length, 0)
  header.writeInt32LE(id, 8)
  header.writeInt32LE(legacy ? OP_REPLY : OP_MSG, 12)
  return Buffer.concat([header, before, document])
}
