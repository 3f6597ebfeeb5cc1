import type { RedisNode } from '../shared/redis-client.js'
import { isReply } from '../shared/redis-commands.js'

/** What a Redis is set to, as far as it says. */
export interface ServerSettings {
  /** Undefined, as the next one, where it may not be asked. */
  readonly policy: string | undefined
  readonly appendOnly: boolean | undefined
  readonly isConfigForbidden: boolean
}

export interface DurabilityOptions {
  /** Whether an append-only file is asked for. */
  durable: boolean
  /** Whether the user answers for what Redis does not say. */
  assumeDurable: boolean
}

/** How they stand to what is needed: why writes would be lost, and what was not to be learnt. */
export interface Verdict {
  readonly refusal: string | undefined
  readonly warnings: readonly string[]
}

const CONFIG_FORBIDDEN = 'CONFIG is forbidden to this client'

/** @throws where it does not answer */
export async function settingsOf (node: RedisNode): Promise<ServerSettings> {
  const [policy, appendOnly] = await Promise.all([configOf(node, 'maxmemory-policy'), configOf(node, 'appendonly')])
  if (policy !== undefined && appendOnly !== undefined) return { policy, appendOnly: appendOnly === 'yes', isConfigForbidden: false }
  const [memory, persistence] = await Promise.all([infoOf(node, 'memory'), infoOf(node, 'persistence')])
  const enabled = persistence.get('aof_enabled')
  return { policy: policy ?? memory.get('maxmemory_policy'), appendOnly: enabled === undefined ? undefined : enabled === '1', isConfigForbidden: true }
}

export function judge ({ policy, appendOnly, isConfigForbidden }: ServerSettings, { durable, assumeDurable }: DurabilityOptions): Verdict {
  const warnings: string[] = []
  if (policy !== undefined && policy !== 'noeviction') {
    return refused(`maxmemory-policy is ${policy}: under memory pressure Redis would evict what waits, or who owns it; it must be noeviction, or the queue's client another Redis than the cache's`)
  }
  if (policy === undefined) warnings.push(`${CONFIG_FORBIDDEN}, and so is INFO: maxmemory-policy, which must be noeviction, could not be checked`)
  else if (isConfigForbidden) warnings.push(`${CONFIG_FORBIDDEN}; its settings were read from INFO`)
  if (assumeDurable || appendOnly === true) return { refusal: undefined, warnings }
  const what = appendOnly === false ? 'appendonly is no: what waits is lost when Redis ends' : `whether appendonly is yes could not be read: ${CONFIG_FORBIDDEN}, and so is INFO`
  if (durable) return refused(`${what}; options.durable needs it, unless options.assumeDurable says that Redis keeps its data in another way`)
  return { refusal: undefined, warnings: [...warnings, `${what}; options.durable makes the boot insist on it`] }

  function refused (refusal: string): Verdict {
    return { refusal, warnings }
  }
}

/** @returns undefined where it may not be asked */
async function configOf (node: RedisNode, name: string): Promise<string | undefined> {
  const answer = await node.call!('CONFIG', 'GET', name).catch(undefinedIfRefused)
  // By RESP3 a map, which clients give as an object.
  const value: unknown = Array.isArray(answer) ? answer[1] : answer instanceof Map ? answer.get(name) : (answer as Record<string, unknown> | undefined)?.[name]
  return typeof value === 'string' ? value : undefined
}

async function infoOf (node: RedisNode, section: string): Promise<ReadonlyMap<string, string>> {
  const text = await node.info(section).catch(undefinedIfRefused) ?? ''
  return new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]))
}

function undefinedIfRefused (error: unknown): undefined {
  if (!isReply(error)) throw error
}
