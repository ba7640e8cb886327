#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders the cases of tests/jinja with Jinja2 as Hugging Face's transformers sets it up, and writes expressions.json
and chats.json beside this script. Needs Jinja2 3.1. A case whose rendering fails has "expected": null.

Usage: make_cases.py
"""
import datetime
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2025, 1, 2, 15, 4, 5)


class Generation(jinja2.ext.Extension):
    """{% generation %}: a block whose text transformers marks, and which renders as its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return env


def rendered(source, variables):
    try:
        text = environment().from_string(source).render(**variables)
        return None if " at 0x" in text else text  # an address: Tern refuses to print what has no text
    except Exception:  # whatever goes wrong in a template, Tern has to refuse it, too
        return None


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather at a \"place\"; größer <b> & 'so' on",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "A city"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                    "days": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["place"],
            },
            "return": {"type": "number"},
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]
SYSTEM = {"role": "system", "content": "  Be brief.\nBe kind. "}
CALL = {
    "id": "abcdefgh1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"place": "Zürich", "days": [1, 2], "x": 1.5, "y": None, "z": True}},
}
CONVERSATIONS = {
    "one": [{"role": "user", "content": "Hello?"}],
    "system": [SYSTEM, {"role": "user", "content": " Hi \n"}],
    "turns": [
        {"role": "user", "content": "First line\n\n  second 漢字 😀"},
        {"role": "assistant", "content": " <think>\nhm\n</think>\n\nAn answer\twith 'quotes' and \"more\" "},
        {"role": "user", "content": "<|eot_id|>{{ 7 * 7 }}{% raw %}"},
    ],
    "long": [SYSTEM] + [{"role": ("user", "assistant")[i % 2], "content": f"message {i}"} for i in range(9)],
    "ends with assistant": [SYSTEM, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
    "wrong order": [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
    "unknown role": [{"role": "user", "content": "q"}, {"role": "critic", "content": "b"}],
    "calls": [
        SYSTEM,
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "abcdefgh1", "content": "{\"degrees\": 21}"},
        {"role": "assistant", "content": "21 degrees."},
        {"role": "user", "content": "Thanks"},
    ],
    "two calls": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Let me see", "tool_calls": [CALL, CALL]},
        {"role": "tool", "tool_call_id": "abcdefgh1", "content": {"degrees": 21}},
        {"role": "tool", "tool_call_id": "abcdefgh1", "content": "22"},
    ],
    "parts": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is this? "}]}],
    "empty": [{"role": "user", "content": ""}],
    "none": [],
}


SETTINGS = {
    "plain": {"add_generation_prompt": True},
    "tools": {"add_generation_prompt": False, "tools": TOOLS},
    "no tools": {"add_generation_prompt": True, "tools": None, "enable_thinking": False, "date_string": "1 May 2024"},
    "builtin": {
        "add_generation_prompt": True,
        "tools": TOOLS,
        "tools_in_user_message": False,
        "builtin_tools": ["code_interpreter", "get_weather"],
    },
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def chat_cases():
    for path in sorted((HERE / "templates").iterdir()):
        source = path.read_text("utf-8")
        for messages in CONVERSATIONS:
            for settings in SETTINGS:
                variables = {"messages": CONVERSATIONS[messages], **TOKENS, **SETTINGS[settings]}
                names = {"file": path.name, "messages": messages, "settings": settings}
                yield {**names, "expected": rendered(source, variables)}


VARIABLES = {
    "s": "Hello, World",
    "u": "  größe 漢字\u00a0😀\u3000",
    "lines": "one\n\ntwo\r\nthree",
    "n": 7,
    "f": 2.5,
    "yes": True,
    "nil": None,
    "xs": [3, 1, 2],
    "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}],
    "d": {"b": 1, "a": [1, 2], "C": {"x": "y"}, "items": "own", "é": "\u0001\"\\/<>&'\u007f\u2028😀"},
    "people": [
        {"name": "Zoe", "age": 31, "tags": ["x"], "at": {"city": "Bern"}},
        {"name": "adam", "age": 5, "tags": [], "at": {"city": "aarau"}},
        {"name": "Bob", "age": 31, "at": {}},
        {"name": "bob", "age": 8, "tags": None, "at": {"city": None}},
    ],
}

# What goes between {{ and }}, with " ; " between one and the next.
EXPRESSIONS = r"""
1 + 2 * 3 ; 7 // 2 ; -7 // 2 ; 7 // -2 ; 7 % 3 ; -7 % 3 ; 7 % -3 ; 7 / 2 ; 6 / 2 ; 2 ** 10 ; 2 ** -1 ; 2 ** 0.5 ; 2 ** 3 ** 2 ; -2 ** 2 ; 1 - 2 - 3 ; 1.5 + 1
7.5 // 2 ; -7.5 % 2 ; 7.5 % -2 ; 1e3 ; 1e16 ; 1e15 ; 123456789012345678.0 ; 0.1 + 0.2 ; 1e-4 ; 1e-5 ; 0.00001234 ; 1.0 ; 100.0 ; 1e22 ; 1e100 ; -0.0 ; 1_000 ; 0x1F ; 0b101 ; 0o17
0xff + 1_0 ; 1.5e-3 ; 1 / 3 ; 2 / 3 * 3 ; true + 1 ; true * 3 ; yes + yes ; -yes ; +n ; -f ; +f ; - -n ; not not n ; 1 / 0 ; 1 % 0 ; 1.0 // 0 ; 5.0 % 0
1 < 2 < 3 ; 1 < 3 < 2 ; 1 == 1.0 == true ; 1 != 2 != 1 ; 3 > 2 >= 2 ; 'a' < 'b' ; 'a' < 'B' ; 'Z' < 'é' ; [1, 2] < [1, 3] ; [1] < [1, 0] ; (1, 2) < (1, 3) ; [1] == (1,) ; [1, [2]] == [1, [2]]
{'a': 1} == {'a': 1.0} ; {'a': 1, 'b': 2} == {'b': 2, 'a': 1} ; {'a': 1} == {'a': 2} ; none == none ; none == false ; '' == none ; 1 < 'a' ; none < 1 ; [1] < [none] ; nil is none ; 1 in xs
4 in xs ; 4 not in xs ; 'a' in d ; 'z' in d ; 'ell' in s ; '' in s ; 1 in s ; none in mixed ; [1] in mixed ; 1 in undefined_name ; 1 in n ; 'b' in ('a', 'b') ; not 1 in xs ; not (1 in xs)
1 and 2 ; 0 and 2 ; 0 or 2 ; '' or nil ; nil or 'x' or y ; not nil ; not xs ; 1 if yes else 2 ; 1 if nil else 2 ; 1 if nil ; (1 if nil) is defined ; 1 if 0 else 2 if 0 else 3 ; 'a' if yes
'a' ~ 1 ~ none ~ 1.0 ~ true ; 'a' ~ undefined_name ~ 'b' ; 'a' + 'b' ; 'a' + 1 ; 1 + 'a' ; 'ab' * 3 ; 3 * 'ab' ; 'ab' * -1 ; [1, 2] * 2 ; [1] + [2] ; (1,) + (2,) ; [1] + (2,) ; 'a' 'b' "c"
1 ~ 2 + 3 ; 1 + 2 ~ 3 ; 1 * 2 ~ 3 * 4 ; '%s-%d' % ('a', 3) ; '%05.1f|%x|%-4s|' % (3.14159, 255, 'ab') ; '%s' % n ; '%s' % [1] ; '%r' % 'a' ; '%d%%' % 50 ; '%(a)s' % {'a': 1} ; '%s' % () ; '%e' % 12345.678 ; '%g' % 0.0001 ; '%+d % d' % (1, 2)
'%d' % 'a' ; '%s %s' % 'a' ; '%c' % 'x' ; '%.2s' % 'größe' ; '%5s|' % 'é' ; '%i' % 3.9 ; '%X' % 255 ; '%#x' % 255 ; '%.3d' % 5 ; '%10.3e' % 1.5 ; '%G' % 1e-10
s[0] ; s[-1] ; s[99] ; s[1:4] ; s[:3] ; s[3:] ; s[:-1] ; s[::-1] ; s[::2] ; s[-3:] ; s[5:2] ; s[10:1:-3] ; s[:] ; u[2:5] ; u[::-1] ; xs[0] ; xs[-1] ; xs[9] ; xs[9].x ; xs[1:] ; xs[::-1] ; xs[-2:] ; xs[:0] ; xs['a'] ; xs.0 ; (1, 2, 3)[1:] ; (1, 2)[::-1]
s['upper']() ; s.upper ; d.b ; d['b'] ; d.a[1] ; d.a.1 ; d.C.x ; d['C']['x'] ; d.missing ; d.missing.x ; d['missing'] ; d['missing']['x'] ; d[1] ; d['items'] ; d.items()|list ; d.keys()|list ; d.values()|list ; d.get('b') ; d.get('q') ; d.get('q', 5) ; d.get('b', 5)
nil.x ; nil['x'] ; n.x ; undefined_name ; undefined_name.x ; undefined_name[0] ; undefined_name() ; undefined_name + 1 ; undefined_name < 1 ; undefined_name == other_undefined ; undefined_name == none ; -undefined_name ; undefined_name|length
undefined_name|upper ; undefined_name|list ; undefined_name|join(',') ; undefined_name|first is defined ; undefined_name|default('x') ; undefined_name|tojson ; undefined_name|int ; undefined_name|string ~ '.' ; undefined_name|trim ~ '.' ; [undefined_name]
xs.append(1) ; xs.sort() ; xs.pop ; xs.index(1) ; xs.count(1) ; xs.index(9) ; d.update({}) ; d.pop('a') ; d.clear ; d.update is defined ; d.copy() == d ; (1, 2).count(1) ; (1, 2).index(2)
{'a': 1, 'b': [1, 'x', none, true, 1.5]} ; {1: 'a', true: 'b', 'c': (1,)} ; {} ; [] ; () ; (1,) ; (1, 2,) ; [1, 2,] ; {'a': 1,} ; {'a': {'b': {}}} ; 1, 2 ; 'a',  ; {'x': 1, 'x': 2} ; {[]: 1}
'it\'s' ; "it's" ; 'say "x"' ; ['it\'s'] ; ["it's", 'say "x"', 'both \' and "'] ; ['a\nb\t\\'] ; '\x41\u00e9\U0001F600\101\q' ; ['é漢\x00\x7f\xa0'] ; 'ab' ; [u] ; mixed ; people ; d.C ; d['é'] ; [true, none, 1.0] ; [[], {}, ()]
s|upper ; s|lower ; s|title ; s|capitalize ; 'hELLO wORLD-foo (bar) [baz] a_b'|title ; 'hELLO wORLD-foo'.title() ; "they're"|title ; "they're".title() ; 'ABC def'.capitalize() ; ''|capitalize ; ''|title ; 'a1b'.title() ; 'a1b'|title ; n|upper ; nil|upper ; xs|upper
u|trim ; u.strip() ; u.lstrip() ; u.rstrip() ; 'xxaxx'|trim('x') ; 'xyaxy'.strip('xy') ; 'xxaxx'.lstrip('x') ; 'xxaxx'.rstrip('x') ; ' a '.strip(none) ; 'aaa'.strip('a') ; 'éaé'.strip('é') ; n|trim ; '\x1c a\x85'.strip()
u|length ; s|length ; xs|length|d|length ; ''|length ; n|length ; nil|length ; xs|count ; (xs|map('string'))|length ; u|list ; s|list|d|list ; n|list ; (1, 2)|list
xs|first ; xs|last ; []|first ; []|last ; s|first ; s|last|d|first|d|last ; ([]|first) is defined ; xs|first|string ; (xs|map('string'))|first ; (xs|map('string'))|last
xs|join ; xs|join(', ') ; s|join('-') ; mixed|join('|') ; people|join(', ', attribute='name') ; people|join(',', 'at.city')|d|join(',') ; []|join(',') ; n|join ; xs|join(1) ; [1, [2, 'x']]|join(' ')
xs|sort ; xs|sort(reverse=true) ; ['b', 'A', 'c', 'B', 'a']|sort ; ['b', 'A', 'c']|sort(case_sensitive=true) ; people|sort(attribute='age')|map(attribute='name')|list ; people|sort(attribute='name')|map(attribute='name')|join ; people|sort(attribute='age,name', reverse=true)|map(attribute='name')|join(' ') ; [1, 'a']|sort|d|sort ; s|sort|join
d|dictsort|d|dictsort(true) ; {'b': 1, 'a': 2}|dictsort(by='value') ; {'b': 1, 'a': 2}|dictsort(false, 'key', true)|d|dictsort(by='x') ; xs|dictsort
xs|reverse|list ; s|reverse ; u|reverse ; (xs|reverse)|join|d|reverse|list ; (1, 2)|reverse|list ; n|reverse ; xs|unique|list ; ['a', 'A', 'b', 'a']|unique|list ; ['a', 'A']|unique(true)|list ; people|unique(attribute='age')|map(attribute='name')|list ; [1, 1.0, true]|unique|list
xs|sum ; xs|sum(start=10) ; people|sum(attribute='age') ; ['a']|sum ; [[1], [2]]|sum(start=[]) ; []|sum ; [1.5, 2]|sum ; xs|min ; xs|max ; []|max ; ['b', 'A']|min ; people|max(attribute='age') ; [1, 'a']|max
people|map(attribute='name')|list ; people|map(attribute='tags', default='none')|list ; people|map(attribute='at.city')|list ; xs|map('string')|list ; xs|map('int')|sum ; ['a ', ' b']|map('trim')|map('upper')|join ; xs|map ; xs|map('nothing')|list ; xs|map('round', 1)|list ; people|map(attribute='tags.0')|list ; ['a', 'b']|map('replace', 'a', 'x')|join ; xs|map(attribute='x', foo=1)|list
people|selectattr('tags')|map(attribute='name')|list ; people|selectattr('tags', 'defined')|map(attribute='name')|list ; people|selectattr('age', 'equalto', 31)|map(attribute='name')|list ; people|rejectattr('age', 'gt', 7)|map(attribute='name')|list ; people|selectattr('age', '>=', 8)|list|length ; people|selectattr('at.city', 'string')|map(attribute='name')|join(',') ; people|rejectattr('tags')|map(attribute='name')|list ; people|selectattr('name', 'in', ['Bob', 'bob'])|map(attribute='age')|list
xs|select('odd')|list ; xs|reject('odd')|list ; mixed|select|list ; mixed|reject|list ; mixed|select('string')|list ; mixed|select('number')|list ; xs|select('gt', 1)|list ; xs|select('in', [1, 2])|list ; xs|select('nothing')|list ; xs|select('divisibleby', 2)|list ; 'y' if xs|select('gt', 9) else 'n' ; 'y' if xs|select('gt', 9)|list else 'n' ; s|select('upper')|join
d|tojson ; mixed|tojson ; u|tojson ; u|tojson(ensure_ascii=true)|d|tojson(indent=2) ; people|tojson(indent=1) ; []|tojson(indent=2) ; {}|tojson(indent=2) ; [[], {}, [1]]|tojson(indent=4)|d|tojson(sort_keys=true)|d|tojson(separators=(',', ':')) ; xs|tojson(indent='--') ; 1e20|tojson ; 1.0|tojson ; none|tojson ; (1, 'a')|tojson ; {1: 2, none: 3, true: 4, 1.5: 5}|tojson ; '</script>&\'"\\'|tojson ; xs|tojson(indent=0) ; 'a'|tojson|tojson ; range|tojson ; (xs|map('int'))|tojson ; [undefined_name]|tojson
nil|default('x') ; nil|default('x', true) ; ''|default('x', boolean=true) ; ''|d('x') ; n|default(1) ; d.zzz|default([]) ; d.zzz|default ; d.zzz.y|default('q') ; 0|default(5, true)
s|replace('o', '0') ; s|replace('o', '0', 1) ; 'aaa'|replace('', '-') ; s|replace('z', 'y') ; n|replace('7', 'seven') ; s.replace('l', 'L') ; s.replace('l', 'L', 2) ; s.replace('l', 'L', -1) ; s.replace('', '.', 3) ; s.replace('l') ; s|replace('l', 1)
'7'|int ; '7.9'|int ; 'x'|int ; 'x'|int(5) ; 'ff'|int(0, 16) ; '0x1f'|int(0, 16) ; 7.9|int ; -7.9|int ; none|int ; true|int ; ' 12 '|int ; '1_000'|int ; '-5'|int ; []|int ; '1e3'|int ; 'inf'|int ; '2.5'|float ; 'x'|float ; 'x'|float(1.5) ; 3|float ; '1e3'|float ; none|float ; ' -1.5 '|float ; 'inf'|float ; 'nan'|float ; true|float ; '1_0.5'|float ; '.5'|float ; '5.'|float
-3|abs ; (-3)|abs ; f|abs ; -2.5|abs ; (-2.5)|abs ; 'x'|abs ; 2.5|round ; 3.5|round ; -2.5|round ; 2.675|round(2) ; 2.123456|round(3) ; 7|round ; 42.55|round(1, 'floor') ; 42.55|round(1, 'ceil') ; 42.1|round(method='ceil') ; 42|round(0, 'floor') ; 2.5|round|int ; 1e300|round(2) ; f|round(1, 'x') ; 'a'|round
lines|indent ; lines|indent(2) ; lines|indent(2, true) ; lines|indent(2, true, true) ; lines|indent('> ') ; lines|indent(width=1, first=true) ; ''|indent ; 'a'|indent(first=true) ; n|indent ; lines|length ; lines.splitlines() ; lines.split('\n') ; 'a\n'|indent
s|string ; n|string ; mixed|string ; s|safe ; '<a href="x">&\'</a>'|e ; '<'|escape ; s|wordcount ; 'a b-c'|wordcount ; s|center(20) ; s|truncate(8) ; s|truncate(8, true) ; s|truncate(9, true, '') ; s|truncate(5, leeway=0) ; s|truncate(2) ; '%s is %d'|format('x', 3) ; '%(a)s'|format(a=1)
s.startswith('He') ; s.startswith('x') ; s.startswith(('x', 'He')) ; s.startswith('ll', 2) ; s.startswith('ll', 2, 3) ; s.endswith('ld') ; s.endswith(('x', 'y')) ; s.endswith('') ; s.startswith(1) ; s.upper() ; s.lower() ; s.swapcase() ; s.split() ; s.split(',') ; s.split('l', 1) ; s.split('') ; ''.split() ; ''.split(',') ; ' a  b '.split(' ') ; s.rsplit('l', 1) ; ' a b '.rsplit() ; ' a b c '.rsplit(none, 1) ; ' a b c '.split(none, 1) ; s.split(sep=',', maxsplit=1) ; s.split(maxsplit=1)
s.find('o') ; s.find('z') ; s.rfind('o') ; s.index('o') ; s.index('z') ; u.find('漢') ; s.count('l') ; 'aaaa'.count('aa') ; 'é'.count('') ; ', '.join(['a', 'b']) ; ''.join([]) ; ', '.join([1]) ; '-'.join('abc') ; 'ab'.join(d) ; '7'.zfill(3) ; '-7'.zfill(4) ; 'a'.ljust(3) ~ '|' ; 'a'.rjust(3, '*') ; 'ab'.center(5, '*') ; 'ab'.center(7) ; 'abc'.center(6, '-')
'abc'.removeprefix('a') ; 'abc'.removesuffix('bc') ; 'abc'.removeprefix('x') ; 'a=b=c'.partition('=') ; 'a=b=c'.rpartition('=') ; 'abc'.partition('=') ; 'abc'.rpartition('=') ; '12'.isdigit() ; ''.isdigit() ; '1a'.isdigit() ; 'ab'.isalpha() ; 'a1'.isalnum() ; 'AB'.isupper() ; 'A1'.isupper() ; 'ab'.islower() ; '1'.islower() ; ' \n'.isspace() ; ''.isspace() ; 'a b'.isspace() ; s.nothing ; s.nothing()
'{} and {}'.format(1, 'b') ; '{0}{1}{0}'.format('a', 'b') ; '{x}'.format(x=none) ; '{{}}'.format() ; '{'.format() ; '{}'.format() ; '{x}'.format() ; 'a\r\nb\x0bc\u2028d'.splitlines() ; 'a\nb\n'.splitlines(true)
n is defined ; zz is defined ; zz is undefined ; d.zz is defined ; nil is none ; n is not none ; nil is defined ; s is string ; n is string|d is mapping ; xs is mapping ; xs is iterable ; s is iterable|d is iterable ; n is iterable ; nil is iterable ; zz is iterable ; xs is sequence ; s is sequence|d is sequence ; n is sequence ; (xs|map('int')) is sequence ; (xs|map('int')) is iterable ; n is number ; f is number ; yes is number ; s is number ; yes is boolean ; n is boolean ; n is integer ; yes is integer ; f is integer ; f is float ; n is float
yes is true ; n is true ; 1 is true ; false is false ; nil is false ; n is odd ; n is even ; n is divisibleby 7 ; n is divisibleby(2) ; n is eq 7 ; n is equalto(7) ; n is ne 7 ; n is gt 3 ; n is lt 3 ; n is ge 7 ; n is le(6) ; n is in [7] ; n is not in [7] ; 'a' is in 'abc' ; s is lower ; s is upper ; 'abc' is lower ; 'ABC' is upper ; '1' is lower ; s is callable ; range is callable ; s.upper is callable ; s is escaped ; nil is sameas none ; n is sameas 7 ; 1 is sameas true ; 'upper' is filter ; 'zz' is filter ; 'odd' is test ; 'zz' is test
n is nothing ; n is not defined or true ; zz is defined and zz.x ; not n is defined ; n is defined and n > 3 ; xs is defined and xs|length > 2 ; s is string and s|length == 12 ; 1 if s is string else 2 ; (n is number) == true ; n|string is string ; s is sameas s ; xs is sameas xs ; n is greaterthan 3 ; n is lessthan 3 ; n is greaterthan(7)
range(3)|list ; range(1, 4)|list ; range(5, 0, -2)|list ; range(0)|list ; range(3)|sum ; 3 in range(5) ; range(2, 10, 3)|join ; range(1, 3, 0) ; range(10)|last ; range('a') ; range() ; range(100001)|length ; range(3)[1] ; range(10)[2:5]|list ; range(3)|length
dict(a=1, b=2) ; dict({'a': 1}, b=2) ; dict() ; dict([('a', 1), ('b', 2)]) ; dict(d, b=9).b ; dict(1) ; namespace(a=1).a ; namespace({'x': 2}).x ; namespace().y is defined ; namespace(a=1)['a']
raise_exception('x') ; raise_exception() ; strftime_now('%Y-%m-%d') ; strftime_now('%d %b %Y') ; strftime_now('%A, %B %d, %Y') ; strftime_now('%H:%M:%S %I %p %j %y %e %a') ; strftime_now('%F %T %D %R') ; strftime_now('100%%') ; strftime_now('%-d/%-m') ; strftime_now('%c')
xs|attr('count') is defined|d|attr('b') is defined|d|items|list ; xs|items ; zz|items|list ; people[0]|items|map('first')|list ; d.a|map('string')|join('+') ; (1, 2)|sum ; [3, 4]|first + 1 ; f(1) ; 1(2) ; s() ; xs|nothing ; xs|first() ; xs|join(d='-') ; xs|join(x='-') ; xs|length(1) ; s|upper(1)
(d.a, d.b) ; [d.a[0], xs[1]] ; {'k': xs}['k'][0] ; [[1, 2], [3, 4]]|map('last')|list ; [[1, 2], [3, 4]]|map('sum')|list ; [1, 2, 3][1:]|first ; (s ~ '!')|upper ; s.upper().lower().title() ; -xs[0] ; -n|abs ; (-n)|abs ; n|string ~ 'x' ; not xs|length ; 'a' in 'abc' and 'b' in 'abc' ; xs|length * 2 ; 2 * xs|length ; xs|length - 1 ; [1, 2] == [1, 2] and true ; 1 < n < 10 ; n == 7 == true
"""

TEMPLATES = [
    # Loops.
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {{ x }};{% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in xs %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in zz %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in nil %}{% endfor %}",
    "{% for x in n %}{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}",
    "{% for x in xs if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }} {% endfor %}",
    "{% for (a, b) in [(1, 2), [3, 4]] %}{{ a }}{{ b }} {% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for a, b in xs %}{% endfor %}",
    "{% for c in u %}[{{ c }}]{% endfor %}",
    "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{% for x in xs | map('string') %}{{ loop.last }}{{ loop.length }}{{ x }} {% endfor %}",
    "{% set g = xs | select('odd') %}{{ g | list }}{{ g | list }}",
    "{% set g = xs | select('odd') %}{% for x in g %}{{ x }}{% endfor %}{% for x in g %}{{ x }}{% endfor %}",
    "{% set g = xs | map('string') %}{{ '1' in g }}{{ g | list }}",
    "{{ loop }}",
    "{% for x in xs %}{{ loop.nothing }}{{ loop.nothing is defined }}{% endfor %}",
    "{% for x in xs recursive %}{{ x }}{% endfor %}x{{ zz.y }}",
    "{% break %}",
    "{% for x in xs %}{% set y = x %}{{ y }}{% endfor %}{{ y }}",
    "{% set y = 0 %}{% for x in xs %}{% set y = y + x %}{{ y }} {% endfor %}{{ y }}",
    "{% set y = 5 %}{% for x in xs %}{{ y }}{% set y = x %}{{ y }} {% endfor %}{{ y }}",
    "{% set x = 'outer' %}{% for x in xs %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(t=0) %}{% for x in xs %}{% set ns.t = ns.t + x %}{% endfor %}{{ ns.t }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.c is defined }}",
    "{% set d.x = 1 %}",
    "{% set zz.x = 1 %}",
    # Conditions and assignments.
    "{% if n > 5 %}a{% elif n > 3 %}b{% else %}c{% endif %}",
    "{% if n > 9 %}a{% elif n > 3 %}b{% else %}c{% endif %}",
    "{% if n > 9 %}a{% elif n > 8 %}b{% else %}c{% endif %}",
    "{% if n > 9 %}a{% elif n > 8 %}b{% endif %}.",
    "{% if zz %}a{% endif %}{% if '' %}b{% endif %}{% if [] %}c{% endif %}{% if {} %}d{% endif %}{% if 0.0 %}e{% endif %}{% if nil %}f{% endif %}{% if 'x' %}g{% endif %}",
    "{% if true %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% if false %}{% set x = 1 %}{% endif %}{{ x }}{{ x is defined }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a, b = b0, 2 %}{{ a }}{{ b }}",
    "{% set t = 1, 2 %}{{ t }}",
    "{% set a = 1 if nil else 2 %}{{ a }}",
    "{% set n = n + 1 %}{{ n }}",
    "{% set messages = xs %}{{ messages }}",
    "{% set b %}x{{ n }}{% endset %}{{ b }}{{ b | length }}",
    "{% set b | upper | trim %} x{{ s }} {% endset %}[{{ b }}]",
    "{% set b %}{% set inner = 1 %}{{ inner }}{% endset %}{{ b }}{{ inner }}",
    "{% filter upper %}a{{ s }}b{% endfilter %}",
    "{% filter replace('l', 'L') | trim %} {{ s }} {% endfilter %}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}",
    "{% print 1, s %}",
    "{% generation %}x{{ n }}{% set g = 1 %}{% endgeneration %}{{ g }}",
    "{{ nil | map('upper') | list }}{{ nil | selectattr('x') | list }}{{ 0 | reject | list }}",
    "{{ n | map('upper') | list }}",
    "{{ n | select | list }}",
    "{% do xs %}",
    "{% include 'x' %}",
    "{% nothing %}",
    # Macros.
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c=9) }} {{ m(b=1, a=2) }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m(a) %}[{{ a }}{{ a is defined }}]{% endmacro %}{{ m() }}{{ m(zz) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 'b', x=2) }}{{ m() }}",
    "{% macro m(a) %}{{ a }}{{ varargs | length }}{% endmacro %}{{ m(*xs) }}{{ m(*[1]) }}{{ m(**{'a': 5}) }}",
    "{% macro m() %}{{ n }}{{ late }}{% endmacro %}{% set late = 'L' %}{{ m() }}",
    "{% macro m() %}{% set inner = 1 %}{{ inner }}{% endmacro %}{{ m() }}{{ inner }}",
    "{% macro fact(k) %}{% if k <= 1 %}1{% else %}{{ k * fact(k - 1) | int }}{% endif %}{% endmacro %}{{ fact(5) }}",
    "{% macro m() %} x {% endmacro %}[{{ m() | trim }}]{{ m() | length }}{{ m.name }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}",
    "{% macro m() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}",
    "{% macro m() %}x{% endmacro %}{% call m() %}{% endcall %}",
    "{% for x in xs %}{% macro m(y) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{% endfor %}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    # Whitespace.
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc\n",
    "a\n  {%+ if true +%}\n  b\n  {%+ endif +%}\nc\n\n",
    "a  {% if true %}  b  {% endif %}  c",
    "  {% if true %}x{% endif %}  {{ n }}  ",
    "  {{ n }}\n  {{- n -}}\n  {{ n }}",
    "a\n   {# comment #}\nb {# x #} c\n{#- y -#}\n d {#+ z +#}\ne",
    "{# a {{ x }} {% if %} #}b",
    "{# a\n\n#}\n\nb",
    "a\n\t {% set x = 1 %} \n b",
    "{% raw %}{{ x }} {% if %}{# #}{% endraw %}.",
    "a\n  {% raw %}\n {{ x }}\n  {% endraw %}\n b",
    "a {%- raw -%}  x  {%- endraw -%}  b",
    "{% raw %}{% endraw %}",
    "\n\n{{ n }}\n\n",
    "x\r\ny\r{{ n }}\r\n",
    "{% if true %}\r\nx\r\n{% endif %}\r\n",
    "{{ 'a\r\nb' }}{{ 'a\\\nb' }}",
    "{%for x in xs%}{{x}}{%endfor%}",
    "{{-1}}{{- 1 }}{{ -1 }}",
    "{{ {'a': {'b': 1}}}}",
    "{{ {'a': {'b': 1}}['a'] }}",
    "{% set x = {'a': 1} %}{{ x.a }}",
    "{ { n } } {n} {{ '{{' }} }} %} #}",
    "a{",
    "{{ '}}' }}{{ \"%}\" }}",
    "é{{ '漢' }}😀{# é #}\u3000\u00a0{%- set x = 1 -%}\u2003 z",
    "{{ n\n}}\n{{\nn }}",
    "{% if n\n  == 7 %}x{% endif %}",
    "{% set x = [\n  1,\n  2,\n] %}{{ x }}",
    "{% if true %}\n\n{% endif %}\n|",
    "    {% if true %}\n    a\n    {% endif %}\n    b",
    "a{% if true %}\n  {% endif %}b",
    "{% if true -%}\n\n  a{% endif %}",
    "{{ n }}\n{% if true %}\n{{ n }}\n{% endif %}",
    "{#-#}x{#--#}y",
    "x {{- ' y ' -}} z",
    # What goes wrong.
    "{{",
    "{{ }}",
    "{% if %}{% endif %}",
    "{% if true %}",
    "{% endif %}",
    "{% for %}{% endfor %}",
    "{% for x y %}{% endfor %}",
    "{{ 1 2 }}",
    "{{ 'a }}",
    "{# x",
    "{% raw %}x",
    "{{ (1 }}",
    "{{ 1) }}",
    "{{ a..b }}",
    "{{ a. }}",
    "{{ [1 }}",
    "{{ {'a' 1} }}",
    "{{ x | }}",
    "{{ x is }}",
    "{{ 1 + }}",
    "{{ a ? b }}",
    "{% set %}",
    "{% set x %}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% macro %}{% endmacro %}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% else %}",
    "{% if true %}{% elif %}{% endif %}",
    "{{ f(a=1, 2) }}",
    "{{ f(,) }}",
    "{{ n is defined is defined }}",
    "{{ '\\xZZ' }}",
    "{{ if }}{{ n }}",
    "{% if false %}{{ 1 | nothing }}{% endif %}x",
    "{% if false %}{{ 1 is nothing }}{% endif %}x",
    "{% if false %}{{ zz.x.y }}{% endif %}x",
]


def expression_cases():
    expressions = [one for line in EXPRESSIONS.strip().splitlines() for one in line.split(" ; ")]
    for source in ["{{ " + one + " }}" for one in expressions] + TEMPLATES:
        yield {"template": source, "variables": used(source), "expected": rendered(source, VARIABLES)}


def used(source):
    """The variables that a template mentions: cases stay short, and what they mean does not change."""
    return {name: value for name, value in VARIABLES.items() if name in source}


def lines(cases):
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]"


def main():
    (HERE / "expressions.json").write_text(lines(expression_cases()) + "\n", "utf-8")
    parts = {"messages": CONVERSATIONS, "settings": SETTINGS, "tokens": TOKENS}
    heads = "".join(f'"{name}": {json.dumps(value, ensure_ascii=False)},\n' for name, value in parts.items())
    (HERE / "chats.json").write_text("{" + heads + '"cases": ' + lines(chat_cases()) + "}\n", "utf-8")


if __name__ == "__main__":
    main()
