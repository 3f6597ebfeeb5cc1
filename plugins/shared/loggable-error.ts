export interface LoggableError {
  type: string
  code?: string
  message: string
}

/**
 * What of a client's error may be logged. Its other properties may not: ioredis puts the command with its key and value
 * there, pg-pool the client with its password. Nor may what Redis quotes of a command that it does not know.
 */
export function loggableError (error: unknown): LoggableError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error' }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    ...(typeof code === 'string' && { code }),
    message: String(error.message).replace(/, with args beginning with:.*/s, '')
  }
}
