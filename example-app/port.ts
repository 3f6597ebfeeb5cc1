import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Config } from './config.js'

type Place = Pick<Config, 'HOST' | 'PORT'>

/** Before anything is started for it. @throws where nobody could listen there now */
export async function checkPort ({ HOST, PORT }: Place): Promise<void> {
  const server = createServer()
  try {
    await once(server.listen(PORT, HOST), 'listening')
  } catch (error) {
    throw listenError(error, { HOST, PORT })
  }
  server.close()
  await once(server, 'close')
}

/** The error of a `listen`, with what to do about it. */
export function listenError (error: unknown, { HOST, PORT }: Place): unknown {
  return (error as { code?: unknown }).code === 'EADDRINUSE'
    ? new Error(`port ${PORT} is taken on ${HOST}: set PORT to another one, or to 0 for any that is free`, { cause: error })
    : error
}
