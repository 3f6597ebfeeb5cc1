import { DeadlineError } from '../shared/deadline.js'
import { UnavailableError } from '../shared/redis-commands.js'
import { isReady, mastersOf, type RedisClient } from '../shared/redis-client.js'
import { withResolvers } from '../shared/with-resolvers.js'
import { judge, settingsOf, type DurabilityOptions } from './durability.js'
import { DurabilityError, comeAgain } from './errors.js'

export interface DurabilityCheckOptions extends DurabilityOptions {
  client: RedisClient
  onWarning: (text: string) => void
  /** Writes are refused from now on. */
  onUnfit: (error: Error) => void
}

/** Of an attempt to connect. */
const ENDINGS = ['ready', 'close'] as const

/** Milliseconds that a boot may wait for Redis. */
const PATIENCE = 1_000

/** Whether Redis, and of a Cluster each master, is set to keep what it is given: asked at boot, and of who takes a master's place. */
export class DurabilityCheck {
  readonly #options: DurabilityCheckOptions
  readonly #said = new Set<string>()
  #unfit: Error | undefined
  #asking: Promise<void> = Promise.resolve()
  #closed = false
  readonly #onReady = (): void => { void this.again() }

  constructor (options: DurabilityCheckOptions) {
    this.#options = options
  }

  /** In a second at most: what does not answer by then is asked when it is there. @throws DurabilityError */
  async atBoot (): Promise<void> {
    const { client } = this.#options
    await within(PATIENCE, (signal) => this.#check(signal)).catch((error: unknown) => { if (error instanceof DurabilityError) throw error })
    client.on?.('ready', this.#onReady)
  }

  /** Another server may answer now. Never rejects. One after the other: the last one asked has the last word. */
  async again (): Promise<void> {
    this.#asking = this.#asking.then(() => this.#again())
    await this.#asking
  }

  async #again (): Promise<void> {
    try {
      await within(PATIENCE, (signal) => this.#check(signal))
      this.#unfit = undefined
    } catch (error) {
      if (this.#closed || !(error instanceof DurabilityError)) return
      if (this.#unfit === undefined) this.#options.onUnfit(error)
      this.#unfit = error
    }
  }

  /** @throws DurabilityError while what waits would be lost */
  assert (): void {
    if (this.#unfit !== undefined) throw comeAgain(this.#unfit)
  }

  close (): void {
    this.#closed = true
    this.#options.client.off?.('ready', this.#onReady)
  }

  async #check (signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    await connected(client, signal)
    for (const settings of await Promise.all(mastersOf(client).map(settingsOf))) {
      const { refusal, warnings } = judge(settings, this.#options)
      for (const warning of warnings) this.#sayOnce(warning)
      if (refusal !== undefined) throw new DurabilityError(refusal)
    }
  }

  #sayOnce (text: string): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    this.#options.onWarning(text)
  }
}

/**
 * Nothing is given to a client that is not connected: it would keep it, and ask whenever it is. A lazy one connects by being asked. One
 * that has failed to connect is not waited for.
 *
 * @throws UnavailableError
 */
async function connected (client: RedisClient, signal: AbortSignal): Promise<void> {
  if (isReady(client)) return
  if (!client.status.startsWith('connect')) throw new UnavailableError(`the Redis client is not connected (${client.status})`)
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      for (const event of ENDINGS) client.off?.(event, end)
      if (isReady(client)) resolve()
      else reject(new UnavailableError('the Redis client could not connect'))
    }
    for (const event of ENDINGS) client.on?.(event, end)
    signal.addEventListener('abort', end)
  })
}

/** @throws DeadlineError when it is over: then the work's signal aborts, and what becomes of it is ignored */
async function within (milliseconds: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController()
  const { promise: over, reject } = withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new DeadlineError(milliseconds)
    controller.abort(error)
    reject(error)
  }, milliseconds)
  try {
    await Promise.race([work(controller.signal), over])
  } finally {
    clearTimeout(timer)
  }
}
