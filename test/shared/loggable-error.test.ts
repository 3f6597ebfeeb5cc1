import t from 'tap'
import { loggableError } from '../../plugins/shared/loggable-error.js'

t.test('a client\'s error is told without the command, the client and the password that hang on it', async (t) => {
  const error = Object.assign(new TypeError('broken'), { code: 'ECONNRESET', command: { args: ['user:7', 's3cret'] }, client: { password: 's3cret' } })
  t.strictSame(loggableError(error), { type: 'TypeError', code: 'ECONNRESET', message: 'broken' })
})

t.test('what Redis quotes of a command that it does not know is left out', async (t) => {
  const error = new Error("ERR unknown command 'EVALSHA', with args beginning with: 'abc' '1' 'headroom:cache:user:7' ")
  t.strictSame(loggableError(error), { type: 'Error', message: "ERR unknown command 'EVALSHA'" })
})

t.test('what is no error at all is told by its type only', async (t) => {
  for (const [thrown, type] of [['s3cret', 'string'], [undefined, 'undefined'], [{ password: 's3cret' }, 'object']] as const) {
    t.strictSame(loggableError(thrown), { type, message: 'not an Error' })
  }
})
