import t from 'tap'
import { progressTo } from '../../bench/progress.js'

function record (isTTY: boolean) {
  let written = ''
  const { progress, done } = progressTo({ isTTY, write: (text: string | Uint8Array) => { written += String(text); return true } })
  return { progress, done, written: () => written }
}

t.test('into a file goes a line a round', (t) => {
  const { progress, done, written } = record(false)
  progress('round 1', 'off')
  progress('round 1', 'on')
  progress('round 2', 'on')
  done()
  t.equal(written(), 'round 1\nround 2\n')
  t.end()
})

t.test('a terminal has one line, which changes and goes', (t) => {
  const { progress, done, written } = record(true)
  progress('warming up')
  progress('round 1', 'off')
  done()
  t.strictSame(written().split('\r\u001b[K'), ['', 'warming up', 'round 1, off', ''])
  t.end()
})
