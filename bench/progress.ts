import type { WriteStream } from 'node:tty'

/** Told what is going on, such as the round, and whose turn it is in it. */
export type Progress = (what: string, whose?: string) => void

type Output = Pick<WriteStream, 'write'> & { isTTY?: boolean }

/** On a terminal one line that changes, else a line for each `what`. */
export function progressTo (output: Output): { progress: Progress, done: () => void } {
  const eraseLine = '\r\u001b[K'
  let last = ''
  return {
    progress (what, whose) {
      if (output.isTTY) output.write(`${eraseLine}${what}${whose === undefined ? '' : `, ${whose}`}`)
      else if (what !== last) output.write(`${what}\n`)
      last = what
    },
    done () {
      if (output.isTTY) output.write(eraseLine)
    }
  }
}
