import closeWithGrace from 'close-with-grace'
import cluster from 'node:cluster'
import { parseArgs } from 'node:util'
import { startBackends, type Backends } from './backends.js'
import { ConfigError, readConfig, type Config } from './config.js'
import { startInstance } from './instance.js'
import { startInstances, type WorkerReport } from './instances.js'
import { welcome } from './welcome.js'

const MOST_INSTANCES = 16

/** Requests under way have this long to finish. */
const DRAIN = 10_000

type Stop = () => Promise<void>

try {
  const config = readConfig(process.env)
  await (cluster.isPrimary ? main(config, instancesAsked()) : worker(config))
} catch (error) {
  await reportFailure(error)
  // Not exitCode: close-with-grace ends a process that has nothing left to do with status 0.
  process.exit(1)
}

async function main (config: Config, instances: number): Promise<void> {
  // From here on a signal cleans up, also in the middle of starting.
  const stops: Stop[] = []
  closeWithGrace({ delay: DRAIN + 2_000 }, async ({ err }) => {
    if (err) process.stderr.write(`${err.stack ?? err.message}\n`)
    for (const stop of stops.reverse()) await stop()
  })

  const backends = await startBackends(config, say)
  stops.push(backends.stop)
  try {
    const url = await listen(config, backends, instances, stops)
    say(welcome(url, instances, backends))
  } catch (error) {
    await backends.stop()
    throw error
  }
}

async function listen (config: Config, backends: Backends, instances: number, stops: Stop[]): Promise<string> {
  if (instances > 1) {
    const group = await startInstances(instances, backends)
    stops.push(group.stop)
    return group.url
  }
  const { app, url } = await startInstance(config, backends)
  stops.push(async () => { await app.close() })
  return url
}

async function worker (config: Config): Promise<void> {
  const number = Number(process.env.HEADROOM_INSTANCE)
  const { app, url } = await startInstance(config, { databaseUrl: config.DATABASE_URL, redisUrl: config.REDIS_URL || undefined }, number)
  const grace = closeWithGrace({ delay: DRAIN }, async ({ err }) => {
    if (err) app.log.fatal({ err }, 'closing')
    await app.close()
  })
  // The primary is gone, and the services with it.
  process.once('disconnect', () => { grace.close() })
  process.send?.({ listening: url } satisfies WorkerReport)
}

async function reportFailure (error: unknown): Promise<void> {
  if (cluster.isPrimary) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : `The example could not start: ${messageOf(error)}`}\n`)
  } else {
    await new Promise((resolve) => process.send!({ failed: messageOf(error) } satisfies WorkerReport, resolve))
  }
}

function instancesAsked (): number {
  const { values } = parseArgs({ options: { instances: { type: 'string', default: '1' } } })
  const count = Number(values.instances)
  if (Number.isInteger(count) && count >= 1 && count <= MOST_INSTANCES) return count
  throw new ConfigError(`command line --instances: expected a whole number from 1 to ${MOST_INSTANCES}, got ${JSON.stringify(values.instances)}`)
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function say (line: string): void {
  process.stdout.write(`${line}\n`)
}
