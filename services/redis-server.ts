import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedis } from './redis-binaries.js'
import { type RunningServer, startServer } from './running-server.js'
import { handOver } from './unprivileged-user.js'

export interface RedisServerOptions {
  /** Default: a free port. */
  port?: number
  /** Working folder, kept; made when missing. Default: a throw-away folder. */
  folder?: string
  /** Whether data survive `kill` and `restart`: every write is on disk before it is answered. Default: false. */
  persist?: boolean
  /** More of redis-server's arguments, such as `['--maxmemory', '10mb']`; a function when they depend on the port. */
  args?: string[] | ((port: number) => string[])
  /** What its configuration file says at first. It may rewrite the file, as a Sentinel does. Default: it has none. */
  config?: string
  /** Told one line when redis-server has to be fetched first. */
  onProgress?: (line: string) => void
}

export interface RedisServer extends RunningServer {
  /**
   * Starts it again on the same port; a living one is ended first. What was persisted is there again, and nothing
   * with `empty`, as on a machine that has lost its disk.
   */
  restart(options?: { empty?: boolean }): Promise<void>
}

const dataFile = /\.rdb$|^appendonly/

/**
 * Starts a real redis-server on 127.0.0.1; resolves when it answers.
 * Throws one line that says what to do when there is no redis-server to be had.
 */
export async function startRedisServer (options: RedisServerOptions = {}): Promise<RedisServer> {
  const { persist = false, args = [], config, onProgress } = options
  const redis = await findRedis(onProgress)
  if (options.folder !== undefined) await mkdir(options.folder, { recursive: true })
  const folder = options.folder ?? await mkdtemp(join(tmpdir(), 'headroom-redis-'))
  const configFile = join(folder, 'redis.conf')
  if (config !== undefined) await writeFile(configFile, config)
  const user = options.folder === undefined ? await handOver(folder, redis.server) : undefined

  const server = await startServer({
    name: 'redis-server',
    port: options.port,
    url: (port) => `redis://127.0.0.1:${port}`,
    process: (port) => ({
      command: redis.server,
      args: [
        ...(config === undefined ? [] : [configFile]),
        '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no',
        '--save', '', '--appendonly', persist ? 'yes' : 'no', '--appendfsync', 'always',
        ...(typeof args === 'function' ? args(port) : args)
      ],
      env: { PATH: process.env.PATH, ...redis.env },
      user,
      stopSignal: 'SIGTERM',
      removeFolder: options.folder === undefined ? folder : undefined,
      logFile: join(folder, 'redis-server.log')
    }),
    isReady,
    portTaken: /Address already in use/
  })
  return {
    ...server,
    get pid () { return server.pid },
    async restart ({ empty = false } = {}) {
      if (empty) {
        await server.kill()
        for (const name of await readdir(folder)) {
          if (dataFile.test(name)) await rm(join(folder, name), { recursive: true })
        }
      }
      await server.restart()
    }
  }
}

/** PING proves that a Redis answers; INFO, that it is ours and not one that took the port a moment before. */
async function isReady (port: number, pid: number): Promise<boolean> {
  const reply = await ask(port, 'PING\r\nINFO server\r\n', /process_id:\d+|-NOAUTH/)
  // With a password of the caller's it answers, but says no more than that.
  if (reply.startsWith('-NOAUTH')) return true
  return reply.startsWith('+PONG') && reply.includes(`process_id:${pid}\r`)
}

function ask (port: number, commands: string, complete: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let reply = ''
    const socket = connect(port, '127.0.0.1', () => { socket.write(commands) })
    socket.setTimeout(1_000, () => { socket.destroy() })
    socket.on('data', (data) => {
      reply += data.toString()
      if (complete.test(reply)) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => { resolve(reply) })
  })
}
