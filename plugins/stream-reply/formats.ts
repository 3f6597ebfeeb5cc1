import { preferredType } from './media-types.js'

export type Format = 'json' | 'ndjson' | 'csv'

export const FORMATS: readonly [Format, ...Format[]] = ['json', 'ndjson', 'csv']

/** As they are asked for in Accept. There is no registered type of JSON in lines: this is what everybody calls it. */
const TYPES = { 'application/json': 'json', 'application/x-ndjson': 'ndjson', 'text/csv': 'csv' } as const satisfies Record<string, Format>

/** Other names by which clients ask for one. */
const ALIASES = { 'application/ndjson': 'ndjson', 'application/jsonl': 'ndjson' } as const satisfies Record<string, Format>

/** As they are sent. That there is a header line is said by a parameter (RFC 4180 §3). */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present'
}

const FORMAT_OF = { ...TYPES, ...ALIASES }
const OFFERED = Object.keys(FORMAT_OF) as [keyof typeof FORMAT_OF, ...Array<keyof typeof FORMAT_OF>]

/**
 * @param accept the request's field
 * @returns undefined where the client accepts none of them
 */
export function formatFor (accept: string | undefined): Format | undefined {
  const type = preferredType(accept, OFFERED)
  return type === undefined ? undefined : FORMAT_OF[type]
}
