import { CODINGS, type Coding } from './codings.js'
import { remembered } from './remembered.js'

/** What a request says of content codings (RFC 9110 §12.5.3): qualities from 0, not acceptable, to 1. */
export interface Accepted {
  readonly qualities: Readonly<Record<Coding, number>>
  /** Of no coding at all; undefined where nothing is said of it: then it will do. */
  readonly identity: number | undefined
}

/** No field. Everything is acceptable by that; but nothing is known of what the client can decode, so that it gets what needs no decoding. */
const UNSAID: Accepted = { qualities: qualities(() => 0), identity: 1 }
const WEIGHT = /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

const parsed = remembered(parse)

export function parseAcceptEncoding (field: string | undefined): Accepted {
  return field === undefined ? UNSAID : parsed(field)
}

function parse (field: string): Accepted {
  const said = new Map<string, number>()
  for (const member of field.split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim().toLowerCase())
    const weight = parameters.length === 0 ? 1 : parameters.length === 1 && WEIGHT.test(parameters[0]!) ? Number(parameters[0]!.slice(2)) : undefined
    if (name === '' || weight === undefined) continue
    // RFC 9110 §8.4.1.3.
    const coding = name === 'x-gzip' ? 'gzip' : name
    // What is refused once is refused.
    said.set(coding, Math.min(weight, said.get(coding) ?? 1))
  }
  const others = said.get('*')
  return { qualities: qualities((coding) => said.get(coding) ?? others ?? 0), identity: said.get('identity') ?? others }
}

function qualities (of: (coding: Coding) => number): Record<Coding, number> {
  return Object.fromEntries(CODINGS.map((coding) => [coding, of(coding)])) as Record<Coding, number>
}

/**
 * @param offered those that there are, the best one first
 * @returns what the client likes best of that, `'identity'` for none; undefined where it accepts nothing that there is
 */
export function negotiate ({ qualities, identity }: Accepted, offered: readonly Coding[]): Coding | 'identity' | undefined {
  let best: Coding | undefined
  for (const coding of offered) if (qualities[coding] > (best === undefined ? 0 : qualities[best])) best = coding
  if (best !== undefined && qualities[best] >= (identity ?? 0)) return best
  return identity === 0 ? best : 'identity'
}

/** All that it could be sent, the one that it would get first, first. `''` is no coding. */
export function acceptable (accepted: Accepted, offered: readonly Coding[]): Array<Coding | ''> {
  const codings = offered.filter((coding) => accepted.qualities[coding] > 0)
    .sort((a, b) => accepted.qualities[b] - accepted.qualities[a])
  if (accepted.identity === 0) return codings
  return (accepted.identity ?? 0) > (codings[0] === undefined ? -1 : accepted.qualities[codings[0]]) ? ['', ...codings] : [...codings, '']
}
