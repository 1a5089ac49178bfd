import { expect, test } from 'vitest'
import { narrativeFault } from './narrative.ts'

test.each([
  '<div xmlns="http://www.w3.org/1999/xhtml">text</div>',
  '<div>a<br/>b &amp; c &nbsp;<!-- not shown --></div>\n',
  '<div><table class="grid"><tr><td colspan="2">1</td></tr></table></div>',
  '<div><img src="data:image/png;base64,AAAA" alt="x"/></div>',
  '<div><a href="https://example.org/?a=1&amp;b=2">x</a></div>',
])('%s is a narrative', (div) => {
  expect(narrativeFault(div)).toBeUndefined()
})

test.each([
  ['<div></div>', 'no content'],
  ['<div>  <p/> </div>', 'no content'],
  ['text', 'outside of the div'],
  ['<p>x</p>', 'begins with a div'],
  ['<div>x</div><div>y</div>', 'nothing beside'],
  ['<div><p>x</div>', 'well-formed'],
  ['<div>a < b</div>', 'well-formed'],
  ['<div>a & b</div>', 'entity'],
  ['<div>x<script>y</script></div>', 'txt-1'],
  ['<div>x<form>y</form></div>', 'txt-1'],
  ['<div onclick="x()">y</div>', 'txt-1'],
  ['<div><a href="javascript:x()">y</a></div>', 'runs a script'],
  ['<div><a href=" java\nscript:x()">y</a></div>', 'runs a script'],
  ['<div><a href="java&#115;cript&colon;x()">y</a></div>', 'runs a script'],
  ['<div><a href="data:text/html,x">y</a></div>', 'runs a script'],
  [`${'<div>'.repeat(300)}x`, 'nested'],
])('%s is none: %s', (div, why) => {
  expect(narrativeFault(div)).toContain(why)
})

test('a hostile text is read in linear time', () => {
  const began = performance.now()
  for (const part of ['<a ', '<!--', ' a=""', '<?', '&']) narrativeFault(`<div${part.repeat(100_000)}`)
  expect(performance.now() - began).toBeLessThan(2000)
})
