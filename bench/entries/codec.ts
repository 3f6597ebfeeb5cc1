import { deserialize, serialize } from 'node:v8'
import type { MicroEntry } from '../entry.js'
import { USER } from '../users.js'

const TEXT = JSON.stringify(USER)

interface Codec {
  entryOf (value: unknown): { bytes: Uint8Array }
  entryFrom (body: Uint8Array): { value (): unknown, copy (): unknown }
}

// Beside the package's entry point, not one itself: the only way to see what a hit in Redis costs without Redis.
const codec = async (): Promise<Codec> =>
  await import(new URL('entry.js', import.meta.resolve('fastify-headroom/cache')).href) as Codec

const entry: MicroEntry = {
  kind: 'micro',
  title: `a user of ${Math.round(TEXT.length / 100) / 10} KB from the bytes that Redis keeps, or to them`,
  baseline: 'from JSON',
  variants: {
    // What a bare GET would be followed by: no frozen value, no size, no types but JSON's.
    'from JSON': async () => {
      const bytes = Buffer.from(TEXT)
      return () => JSON.parse(bytes.toString()) as unknown
    },
    'from headroom': async () => {
      const { entryFrom, entryOf } = await codec()
      const { bytes } = entryOf(USER)
      return () => entryFrom(bytes).value()
    },
    'from headroom, a copy': async () => {
      const { entryFrom, entryOf } = await codec()
      const { bytes } = entryOf(USER)
      return () => entryFrom(bytes).copy()
    },
    'from headroom, with a Date': async () => {
      const { entryFrom, entryOf } = await codec()
      const { bytes } = entryOf({ ...USER, createdAt: new Date(0) })
      return () => entryFrom(bytes).value()
    },
    'from v8': async () => {
      const bytes = serialize(USER)
      return () => deserialize(bytes) as unknown
    },
    'to JSON': async () => () => Buffer.from(JSON.stringify(USER)),
    // Also makes the memory tier's own copy.
    'to headroom': async () => {
      const { entryOf } = await codec()
      return () => entryOf(USER)
    },
    'to v8': async () => () => serialize(USER)
  },
  expectations: [
    { variant: 'from headroom', of: 'from JSON', atLeast: 0.7 },
    { variant: 'from headroom', of: 'from v8', atLeast: 1 }
  ]
}

export default entry
