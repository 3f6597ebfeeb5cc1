import type { ChildProcess } from 'node:child_process'

type Reply = { answer: unknown } | { failed: string }

/**
 * Asks a child that runs `answerQuestions`, one question at a time.
 *
 * @throws what the child threw, or that it ended before it answered
 */
export async function ask<Answer> (child: ChildProcess, question: object): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const settle = (reply: Reply): void => {
      child.off('message', settle)
      child.off('exit', gone)
      if ('failed' in reply) reject(new Error(reply.failed))
      else resolve(reply.answer as Answer)
    }
    const gone = (code: number | null, signal: string | null): void => {
      settle({ failed: `a process of the bench ended with ${code ?? signal} before it answered` })
    }
    child.on('message', settle)
    child.on('exit', gone)
    if (child.exitCode !== null || child.signalCode !== null) gone(child.exitCode, child.signalCode)
    // With a callback, so that one that died a moment ago is no uncaught EPIPE; `exit` will say how it ended.
    else child.send(question, () => {})
  })
}

/** In the child. */
export function answerQuestions<Question> (answer: (question: Question) => unknown): void {
  process.on('message', (question: Question) => {
    // In an async function, so that what `answer` throws at once becomes a failure to report too.
    const answered = (async () => await answer(question))()
    answered.then(
      (value) => { reply({ answer: value ?? null }) },
      (error: unknown) => { reply({ failed: error instanceof Error ? error.stack ?? error.message : String(error) }) })
  })
}

/** With a callback, for the reason that `ask` has: who asked may have died meanwhile. */
function reply (reply: Reply): void {
  process.send!(reply, () => {})
}
