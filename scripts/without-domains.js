// Loaded before each file of the suite.
//
// tap has a hook that follows every promise and timer to the test it came from (async-hook-domain), so as to say whose an error is
// that nobody caught. Where tests make many promises that takes half of the time. Here the hook is left out: such an error fails
// the file all the same, but not always by the name of its test. To have that, run the file by tap alone.
import asyncHooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

// Threads that a test starts load this too, and are to be none of tap's; its processes are kept from that.
if (isMainThread) {
  const { createHook } = asyncHooks
  replaceCreateHook(() => ({ enable () { return this }, disable () { return this } }))
  // It creates the hook as it is loaded, once and for all.
  await import('tap')
  replaceCreateHook(createHook)
  process.execArgv.splice(process.execArgv.indexOf('--import'), 2)
}

function replaceCreateHook (by) {
  asyncHooks.createHook = by
  syncBuiltinESMExports()
}
