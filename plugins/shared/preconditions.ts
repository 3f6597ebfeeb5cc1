import { parseEntityTags, type EntityTag } from './entity-tag.js'
import { parseHttpDate } from './http-date.js'

/** The fields of a request, as Node gives them. */
export interface ConditionalFields {
  readonly 'if-match'?: string | undefined
  readonly 'if-none-match'?: string | undefined
  readonly 'if-modified-since'?: string | undefined
  readonly 'if-unmodified-since'?: string | undefined
}

/** What is known of the representation that the request is about. */
export interface Selected {
  /** Whether there is one; of one that there is not, nothing else counts. */
  readonly exists: boolean
  /**
   * Whether the tag is one that a reply to this request could have. Undefined where no tag is known: conditions of tags say nothing then.
   *
   * @param strongly by the strong comparison of RFC 9110 §8.8.3.2, else by the weak one
   */
  readonly matches?: ((tag: EntityTag, strongly: boolean) => boolean) | undefined
  /** Milliseconds since the epoch, whole seconds. Undefined where it is not known: conditions of dates say nothing then. */
  readonly lastModified?: number | undefined
}

export type Verdict =
  | 'proceed'
  /** 304, for GET and HEAD. */
  | { readonly is: 'not modified', readonly tag: EntityTag | undefined }
  /** 412. */
  | { readonly is: 'failed', readonly field: keyof ConditionalFields }

/** Whether there is anything to judge. */
export function isConditional (fields: ConditionalFields): boolean {
  return fields['if-none-match'] !== undefined || fields['if-modified-since'] !== undefined ||
    fields['if-match'] !== undefined || fields['if-unmodified-since'] !== undefined
}

/**
 * The precedence of preconditions (RFC 9110 §13.2.2), but for If-Range, and what each means.
 *
 * @param isRead the method is GET or HEAD
 * @param now milliseconds since the epoch
 */
export function judge (fields: ConditionalFields, selected: Selected, isRead: false, now: number): Exclude<Verdict, { is: 'not modified' }>
export function judge (fields: ConditionalFields, selected: Selected, isRead: boolean, now: number): Verdict
export function judge (fields: ConditionalFields, selected: Selected, isRead: boolean, now: number): Verdict {
  const { exists, matches, lastModified } = selected
  const ifMatch = fields['if-match']
  const ifNoneMatch = fields['if-none-match']
  if (ifMatch !== undefined) {
    if (!isMatched(ifMatch, selected)) return { is: 'failed', field: 'if-match' }
  } else if (exists && lastModified !== undefined && fields['if-unmodified-since'] !== undefined) {
    const date = parseHttpDate(fields['if-unmodified-since'], now)
    // What is no date is ignored (§13.1.4).
    if (date !== undefined && lastModified > date) return { is: 'failed', field: 'if-unmodified-since' }
  }
  if (ifNoneMatch !== undefined) {
    if (!exists) return 'proceed'
    const tags = parseEntityTags(ifNoneMatch)
    // A read sends what it has; a write could overwrite what it was not to: `*` that came twice is no list.
    if (tags === undefined) return isRead ? 'proceed' : { is: 'failed', field: 'if-none-match' }
    const tag = tags === '*' || matches === undefined ? undefined : tags.find((tag) => matches(tag, false))
    if (tags !== '*' && tag === undefined) return 'proceed'
    return isRead ? { is: 'not modified', tag } : { is: 'failed', field: 'if-none-match' }
  }
  if (isRead && exists && lastModified !== undefined && fields['if-modified-since'] !== undefined) {
    const date = parseHttpDate(fields['if-modified-since'], now)
    if (date !== undefined && lastModified <= date) return { is: 'not modified', tag: undefined }
  }
  return 'proceed'
}

function isMatched (field: string, { exists, matches }: Selected): boolean {
  if (!exists) return false
  if (field.trim() === '*' || matches === undefined) return true
  const tags = parseEntityTags(field)
  return tags !== undefined && tags !== '*' && tags.some((tag) => matches(tag, true))
}
