import { join, resolve } from 'node:path'
import { findPostgres } from './postgres-binaries.js'
import { FolderInUseError, lastingData, readLock, throwAwayData } from './postgres-data-folder.js'
import { passwordOf, postgresTemplate } from './postgres-template.js'
import { type RunningServer, startServer } from './running-server.js'
import { unprivilegedUser } from './unprivileged-user.js'

export type PostgresSettings = Record<string, string | number | boolean>

export interface PostgresServerOptions {
  /** Data folder, made when missing. Default: a throw-away folder. */
  folder?: string
  /** Whether the data stay when the server ends. Default: true when `folder` is given. */
  keep?: boolean
  /** Default: a free port. */
  port?: number
  /** Server settings, as in postgresql.conf: `{ max_connections: 20 }`. */
  settings?: PostgresSettings
}

const settingsOfAll: PostgresSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '64MB'
}

// Data that nobody reads after the end need not survive a power cut. synchronous_commit stays on: without fsync it
// costs next to nothing, and what was committed survives `kill` and `restart`.
const settingsOfThrowAway: PostgresSettings = {
  fsync: false,
  full_page_writes: false,
  // In the data folder, so that a killed server leaves nothing in /dev/shm.
  dynamic_shared_memory_type: 'mmap'
}

/**
 * Starts a real PostgreSQL on 127.0.0.1; resolves when it accepts connections. User and database are `postgres`,
 * the password is in the URL. Works as root too: the server then runs as nobody.
 *
 * Throws an error with code `HEADROOM_POSTGRES_FOLDER_IN_USE` when another server runs on `folder`.
 */
export async function startPostgresServer (options: PostgresServerOptions = {}): Promise<RunningServer> {
  const keep = options.keep ?? options.folder !== undefined
  if (keep && options.folder === undefined) throw new TypeError('keep: true needs a folder to keep')

  const user = await unprivilegedUser()
  const binaries = await findPostgres(user)
  const template = await postgresTemplate(binaries, user)
  const folder = options.folder === undefined ? await throwAwayData(template, user) : resolve(options.folder)
  if (options.folder !== undefined) await lastingData(folder, template, user)

  const settings = { ...settingsOfAll, ...(keep ? {} : settingsOfThrowAway), ...options.settings }
  const password = await passwordOf(folder)
  const server = startServer({
    name: 'postgres',
    port: options.port,
    url: (port) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    process: (port) => ({
      command: binaries.postgres,
      args: ['-D', folder, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      user,
      // Fast shutdown. SIGTERM would wait until every client has gone.
      stopSignal: 'SIGINT',
      removeFolder: keep ? undefined : folder,
      logFile: join(folder, 'postgres.log')
    }),
    async isReady (_port, pid) {
      const lock = await readLock(folder)
      return lock?.pid === pid && lock.status === 'ready'
    },
    portTaken: /Address already in use/
  })
  return server.catch((error: Error) => {
    // Two starts at once: the other was faster.
    throw /lock file "postmaster.pid" already exists/.test(error.message) ? new FolderInUseError(folder) : error
  })
}
