/** What other processes are told of a write, in the same step. */
export interface Notice {
  readonly text: string
  /** This or `failed` is to be called: till then, nobody is told that there is such a notice. */
  readonly sent: () => void
  /** It may not have been sent. */
  readonly failed: () => void
}

/** Writes, and says whether the notice has gone out with that. */
export async function announcing<T> (notice: Notice, write: (text: string) => Promise<T>): Promise<T> {
  try {
    const result = await write(notice.text)
    notice.sent()
    return result
  } catch (error) {
    notice.failed()
    throw error
  }
}
