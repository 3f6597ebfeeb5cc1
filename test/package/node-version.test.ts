import t from 'tap'

const expected = process.env['EXPECTED_NODE']

t.test('the suite runs on the Node that was asked for, not on another one that a script found first', async (t) => {
  if (expected !== undefined) t.equal(process.versions.node, expected)
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  t.ok(major > 20 || (major === 20 && minor >= 19), 'engines in package.json allows it')
})
