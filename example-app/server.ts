import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import cluster from 'node:cluster'
import { parseArgs } from 'node:util'
import { MOST_INSTANCES } from './app.js'
import { startBackends, type Backends } from './backends.js'
import { ConfigError, readConfig, type Config } from './config.js'
import { startInstance } from './instance.js'
import { EndedEarly, Instances, type WorkerReport } from './instances.js'
import { checkPort } from './port.js'
import { onStopSignal } from './stop-signals.js'
import { welcome } from './welcome.js'

/** Requests under way have this long to finish. */
const DRAIN = 10_000

const USAGE = `npm start [-- --instances N]

  --instances N   how many processes share the port, 1 to ${MOST_INSTANCES}; default 1
  --help          this

The environment has the rest: see example-app/README.md.
`

type Stop = () => Promise<void>

/** Set by a signal: from then on, what fails fails because of it. */
let closing = false

try {
  const config = readConfig(process.env)
  if (!cluster.isPrimary) await worker(config)
  else await primary(config)
} catch (error) {
  // Not exitCode: close-with-grace ends a process that has nothing left to do with status 0.
  if (!closing) await reportFailure(error).finally(() => process.exit(1))
}

async function primary (config: Config): Promise<void> {
  const asked = argumentsGiven()
  if (asked.help) {
    process.stdout.write(USAGE)
    return
  }
  // From here on a signal cleans up, also in the middle of starting.
  const stops: Stop[] = []
  let stopping: Promise<void> | undefined
  // Once: a signal while a start that failed is being cleaned up waits for that.
  const stop = async (): Promise<void> => {
    closing = true
    stopping ??= stopAll(stops)
    await stopping
  }
  const grace = closeWithGrace({ delay: DRAIN + 2_000, skip: ['SIGINT', 'SIGTERM'] }, async ({ err }) => {
    if (err) process.stderr.write(`${err.stack ?? err.message}\n`)
    await stop()
  })
  onStopSignal(() => { void grace.close() })

  await checkPort(config)
  const backends = await startBackends(config, say)
  stops.push(backends.stop)
  try {
    const url = await listen(config, backends, asked.instances, stops)
    say(welcome(url, asked.instances, backends))
  } catch (error) {
    // Ctrl-C reaches the instances too, and that one died of it can be known here before the signal itself.
    if (error instanceof EndedEarly && error.signal === 'SIGINT') process.emit('SIGINT')
    if (closing) return
    await stop()
    closing = false
    throw error
  }
}

async function stopAll (stops: Stop[]): Promise<void> {
  while (stops.length > 0) await stops.pop()!()
}

async function listen (config: Config, backends: Backends, instances: number, stops: Stop[]): Promise<string> {
  if (instances > 1) {
    const group = new Instances(backends)
    stops.push(() => group.stop())
    return await group.start(instances)
  }
  const { app, url } = await startInstance(config, backends)
  stops.push(async () => { await app.close() })
  return url
}

async function worker (config: Config): Promise<void> {
  const running: { app?: FastifyInstance } = {}
  // Ctrl-C reaches every process of the terminal; the primary sends SIGTERM besides, and two signals would mean "at once".
  process.on('SIGINT', () => {})
  closeWithGrace({ delay: DRAIN, skip: ['SIGINT'] }, async ({ err }) => {
    closing = true
    if (err) process.stderr.write(`${err.stack ?? err.message}\n`)
    await running.app?.close()
  })
  const backends = {
    databaseUrl: config.DATABASE_URL,
    redisUrl: config.REDIS_URL || undefined,
    redisDurable: process.env.HEADROOM_REDIS_DURABLE === 'true'
  }
  const { app, url } = await startInstance(config, backends, Number(process.env.HEADROOM_INSTANCE))
  running.app = app
  process.send?.({ listening: url } satisfies WorkerReport)
}

async function reportFailure (error: unknown): Promise<void> {
  if (cluster.isPrimary) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : `The example could not start: ${messageOf(error)}`}\n`)
  } else {
    await new Promise((resolve) => process.send!({ failed: messageOf(error) } satisfies WorkerReport, resolve))
  }
}

function argumentsGiven (): { instances: number, help: boolean } {
  const { values } = parseArgs({ options: { instances: { type: 'string', default: '1' }, help: { type: 'boolean', default: false } } })
  const count = Number(values.instances)
  if (Number.isInteger(count) && count >= 1 && count <= MOST_INSTANCES) return { instances: count, help: values.help }
  throw new ConfigError(`command line --instances: expected a whole number from 1 to ${MOST_INSTANCES}, got ${JSON.stringify(values.instances)}`)
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function say (line: string): void {
  process.stdout.write(`${line}\n`)
}
