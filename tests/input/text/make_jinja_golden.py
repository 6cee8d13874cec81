#!/usr/bin/env python3
"""Writes golden/jinja.json: templates, variables, and what Python makes of them. Needs jinja2 and transformers.

Run by hand: make_jinja_golden.py
"""
import copy
import datetime
import json
import os

import transformers.utils.chat_template_utils as utils


class Now(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 13, 5, 0)


utils.datetime = Now  # strftime_now


def render(template, context):
    """{"text"}, or {"raised"} by raise_exception, or {"error"}."""
    import jinja2

    try:
        text = utils._compile_jinja_template(template).render(**copy.deepcopy(context))  # |indent changes a list
        text.encode()
        return {"text": text}
    except RecursionError:
        return {"error": "RecursionError"}
    except Exception as e:
        if type(e) is jinja2.exceptions.TemplateError:
            return {"raised": str(e)}
        return {"error": type(e).__name__}


TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "The weather in a place – now", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "e.g. \"Zürich\""},
                                         "days": {"type": "integer", "default": 1, "enum": [1, 2, 3]}},
        "required": ["city"]}}}]


def conversations():
    system = {"role": "system", "content": "You are kind.  \n"}
    hello = {"role": "user", "content": " Hello <|im_end|> & \"you\" 😀 "}
    answer = {"role": "assistant", "content": "Grüezi,\n\nwhat's up?"}
    parts = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}
    call = {"role": "assistant", "content": "", "tool_calls": [
        {"id": "abcdefghi", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}}]}
    result = {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": "{\"t\": 21.5}"}
    chats = [[hello], [system, hello], [system, hello, answer, hello], [hello, answer], [{"role": "user", "content": ""}], [parts],
             [system, parts, answer], [answer], [hello, hello], [{"role": "robot", "content": "x"}], [{"role": "user"}],
             [system, hello, call, result, answer, hello]]
    for chat in chats:
        for prompt in (False, True):
            yield {"messages": chat, "tools": None, "add_generation_prompt": prompt}
    for chat in (chats[0], chats[2], chats[11]):
        yield {"messages": chat, "tools": TOOLS, "add_generation_prompt": True}


TEMPLATES = {
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}\
{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}\
{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Roles must alternate: user, assistant, user, ...') }}{% endif %}\
{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "llama3": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday: " + date_string + "\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {%- if message['content'] is string %}{{- message['content'] | trim + '<|eot_id|>' }}
        {%- else %}
            {%- for part in message['content'] %}
                {%- if part['type'] == 'image' %}{{- '<|image|>' }}{%- elif part['type'] == 'text' %}{{- part['text'] }}{%- endif %}
            {%- endfor %}
            {{- '<|eot_id|>' }}
        {%- endif %}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("One tool call at once!") }}{%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "chatml_tools": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" and message.tool_calls %}
        {%- for tool_call in message.tool_calls %}
            {%- if (loop.first and message.content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
            {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '<tool_call>\\n{"name": "' ~ tool_call.name ~ '", "arguments": ' }}
            {{- tool_call.arguments if tool_call.arguments is string else tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' ~ message.content ~ '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' ~ message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}
{{- ns.last_query_index }}""",
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}
""",
    "gemma": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}
{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}""",
    "mistral": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS][" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}{{- "[INST]" + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}{{- "[INST]" + message["content"] + "[/INST]" }}{%- endif %}
    {%- elif message["role"] == "tool_calls" or message.tool_calls is defined %}
        {{- "[TOOL_CALLS][" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
        {%- endfor %}
        {{- "]" + eos_token }}
    {%- elif message["role"] == "assistant" %}{{- message["content"] + eos_token}}
    {%- else %}{{- '[TOOL_RESULTS]{"content": ' + message.content|string + '}[/TOOL_RESULTS]' }}{%- endif %}
{%- endfor %}
""",
    "llava": """{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}\
{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}\
{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}\
{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}""",
    "phi": """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}\
{% elif message['role'] == 'user' %}{{'<|user|>\\n' ~ message['content'] ~ '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}""",
    "macros": """{%- macro kind(p, deep=0) -%}
    {%- if p.type == 'object' -%}{ {%- for k, v in p.properties|dictsort %}{{ k }}{{ '' if k in p.required else '?' }}: {{ kind(v, deep + 1) }}{{ ', ' if not loop.last }}{% endfor -%} }
    {%- elif p.enum -%}{{ p.enum|map('string')|join(' | ') }}{%- else -%}{{ p.type|default('any') }}{{ ' = ' ~ p.default if p.default is defined }}{%- endif -%}
{%- endmacro -%}
{% for tool in tools or [] %}{{ tool.function.name }}({{ kind(tool.function.parameters) }})
{% endfor %}{% for m in messages if m.role in ['user', 'assistant'] %}{{ loop.index }}/{{ loop.length }} {{ m.content|string|upper|truncate_not if false else m.role.title() }}
{% else %}nobody
{% endfor %}""".replace("|truncate_not", ""),
}

EXPRESSIONS = """
1 + 2 * 3 - 4 / 2 // 1 % 3; 2 ** 3 ** 2; -2 ** 2; 7 // -2; -7 % 3; 7.5 // -2; -7.5 % 2; 1 / 3; 1e16; 1e-5; 123456789.0; 0.1 + 0.2; 5e-324
'a' ~ 1 ~ none ~ true ~ 1.0; 'ab' * 3; [1] * 2 + [3]; 1 < 2 < 3; 1 < 3 < 2; 3 in [1, 2.0, 3.0]; 'a' not in 'abc'; not 1 == 2; 1 if false; (1 if false) is defined
[none, true, 1.5, 'it\\'s', "q\\"", '\\n\\u00e9\\x07', (1,), (), {'a': {1: none}}]; {'b': 1, 'a': [1, {}]}|tojson; {'b': 1, 'a': [1, {}], 'c': []}|tojson(indent=2)
{'ü': '😀', 'n': 1e400}|tojson(ensure_ascii=true); {'b': 1, 'a': 2}|tojson(sort_keys=true, separators=(',', ':')); [1, 2]|tojson(indent='--'); '\\x7f\\x1f/<>'|tojson
'héllo😀'[::-1]; 'héllo😀'[1:-1]; 'héllo😀'[-1]; 'héllo😀'|length; [1, 2, 3, 4][1::2]; (1, 2, 3)[-2:]; range(10)[2:8:3]|list; 'abc'[5]; [1, 2][-9:]; 'straße ΑΣ'.upper(); 'ΑΣ ΌΣΟΣ'.lower()
"they're bill's".title(); "they're bill's"|title; 'hELLO wORLD'.capitalize(); '  x '.strip() ~ '|'; 'xxaxx'.strip('x'); 'a,b,,c'.split(','); ' a  b '.split(); 'a b c'.split(' ', 1); 'a b c'.rsplit(' ', 1)
'abc'.startswith(('x', 'a')); 'abc'.endswith('bc', 1); 'aaa'.replace('a', 'b', 2); 'abcabc'.find('c', 3); ','.join(['a', 'b']); '{} {1}'.format(1, 2); '%s-%05.1f-%d' % ('a', 2.25, 3); '%s' % 1
d.items; d.items(); d.keys()|list; d['items']; d.get('x', 5); d.missing is defined; d.missing.deeper; d|items|list; d|dictsort; dict(d, z=1); undefinedthing; undefinedthing|length; undefinedthing ~ 'x'; undefinedthing + 1
[3, 1, 2]|sort; ['b', 'A', 'c']|sort; ['b', 'A']|sort(case_sensitive=true); [1, 2, 3]|sum; [1, 2, 3]|max; []|min; ['a', 'B', 'A']|unique|list; [1, 2, 3, 4, 5]|batch(2, 0)|list; [1, 2, 3]|reverse|list; [1, 2, 3]|first
messages|map(attribute='role')|join(','); messages|selectattr('n')|list|length; messages|rejectattr('role', 'equalto', 'user')|map(attribute='content')|list; [1, 0, 2]|select|list; [1, none]|reject('none')|list
' 12 '|int; 'x'|int(7); '42.9'|int; '1_000'|int; 'nan'|float; '1e3'|float; 2.5|round; 3.5|round; 2.675|round(2); 42.55|round(1, 'floor'); -3|abs; 7|round; '<a href="x">'|e; 'a b/ü'|urlencode; 'a b'|wordcount
'a\\nb\\n\\nc'|indent; 'a\\nb'|indent(2, true); none|default('x'); none|default('x', true); x is none; 5 is divisibleby 5; 3 is odd; 'a' is string; [] is sequence; d is mapping; d is iterable; 1.0 is float; 1 is integer; true is number; true is integer
d.update({'a': 1}); [].append(1); ''.__class__; namespace(a=1); namespace(_a=1); range(100001)|list; cycle; loop; strftime_now('%Y-%m-%d %H:%M %B'); raise_exception('stop: é'); 1 is 2; 'abc'|attr('upper'); (1, 2)|join; [[1, 2], [3]]|map('first')|list
[1, 2, 3].index(2); 'a' < 'b'; [1, 2] < [1, 3]; 'a' < 1; {} < {}; {'a': 1} == {'a': 1.0}; true + true; none + 1; 1 // 0; 2 ** -1; 0 ** 0; 10 ** 18; '٣'.isdigit(); '²'.isdigit(); 'ab1'.isalnum(); ''.isalpha(); 'A1'.isupper()
"""

EXPRESSIONS += r"""
big; big + 1; big * big; -big // 7; big % 1000; big / 3; 2 ** 200; 10 ** 30 == 1e30; 2 ** 53 + 1 == 2.0 ** 53; big|tojson; [big, -big]|tojson; {big: 1}|tojson; big|int; big|float; '%d' % big; '%x' % big; '{:,}'.format(big); big|string|length; 123456789012345678901234567890; 0x1F + 0b11 + 0o17 + 1_000; 9223372036854775807 + 1; -9223372036854775808 - 1; 99999999999999999999|round(-3)
7 ** 77 % 13; (2 ** 100) // (3 ** 20); -7 // 2 * 10 ** 20; 10 ** 20 > 1e20; 10 ** 25|int < 1e26; '12345678901234567890123'|int; 'ff'|int(base=16); '0x1f'|int(0, 0); 'zz'|int(3, 36); '１２'|int; 1e22|int; '1e400'|float; 2 ** 0.5; true + big; big is integer; big is odd; big is divisibleby 3; (2 ** 64).bit_length(); (255).bit_count(); 0.75.as_integer_ratio(); 1.5.hex(); (3.0).is_integer(); 5 .real
'%5.2f|%-6d|%+d|%06.1f|%e|%G|%o|%#x|%c|%r|%a|%%' % (3.14159, 42, 7, -2.55, 12345.678, 1e-10, 8, 255, 'x', 'é', 'é'); '%*d|%.*f' % (6, 42, 2, 3.14159); '%(a)s-%(b)05d' % {'a': 1, 'b': 2}; '%s' % (1,); '%s %s' % 1; '%d' % 'a'; '%5.1f'|format(2.25); '%s, %s!'|format('a', 'b'); '%(x)s'|format(x=1); '%.3s' % 'abcdef'; '%x' % 1.5; '%i' % 2.9; '%5%' % (1,); '%%' % (); '%q' % 1
'{:>8}|{:<8}|{:^8}|{:*^9}|{:+}|{:08.3f}|{:,}|{:_}|{:x}|{:#b}|{:%}|{:e}|{:g}'.format('a', 'b', 'c', 'd', 5, 3.14159, 1234567, 1234567, 255, 5, 0.25, 12345.678, 1e-7); '{0[k]} {0[a]} {1.role} {1[content]!r}'.format(d, messages[0]); '{:{}}'.format('a', 5); '{!r:>10}'.format('a'); '{x}'.format(x=1); '{a}'.format_map({'a': 2}); '{:,.2f}'.format(1234567.891); '{:c}'.format(65); '{:5}'.format(none); '{:d}'.format(1.5); '{} {0}'.format(1); '{'.format(); '{:010}'.format(-5); '{:=+8}'.format(3); '{:.3}'.format(10.0)
rows|groupby('t')|list; rows|groupby('t')|map(attribute='grouper')|list; rows|groupby('n', default=0)|map('last')|map('length')|list; rows|groupby('t', case_sensitive=true)|length; (rows|groupby('t')|first).list|length; rows|groupby(attribute='t.x'); rows|sort(attribute='t,n')|map(attribute='n')|list; rows|map(attribute='t')|unique|list; rows|sum('n'); rows|max(attribute='n'); rows|min(attribute='t')
'foo bar baz qux'|truncate(9); 'foo bar baz qux'|truncate(9, true); 'foo bar baz qux'|truncate(11); 'foo bar baz qux'|truncate(11, false, '...', 0); 'abc'|truncate(2); 'x'|center(7) ~ '|'; 13|filesizeformat; 4100000|filesizeformat; 4100000|filesizeformat(true); 1|filesizeformat; '1e30'|filesizeformat; html|striptags; html|e; html|e|e; html|e|forceescape; html|safe|e; {'a': 1, 'b': none, 'c d': 2}|xmlattr; {'a': '<', 'b': none, 'c': html}|xmlattr; {'a': 1}|xmlattr(false)
'the quick brown-fox jumped over the-lazy dog -- and ran away'|wordwrap(12); 'abcdefghijklmnop qr'|wordwrap(5); 'abcdefghij kl'|wordwrap(5, false); 'a-b-c-d-e-f'|wordwrap(4, true, '|'); 'see http://x.org/a?b=1, www.y.com. or (z@w.net)'|urlize; 'http://example.com/long/path'|urlize(12, true, '_top'); rows|pprint; {'z': [1, 2], 'a': {'k': 'v' * 60, 'b': 'w' * 30}}|pprint; ('a b ' * 30)|pprint; {'a b': 'ü/'}|urlencode; [('a', 1), ('b', none)]|urlencode; rows|random is mapping
'<b>'|e ~ '<'; ('<b>'|e) + '<'; ('%s'|e) % '<'; ('{}'|e).format('<'); ('a'|e).join(['<', '>']); ['<'|e, '>']|join('&'); ('<'|e) is escaped; '<' is escaped; (html|e).unescape(); (html|safe).striptags(); ('x<'|safe).replace('x', '<'); ['a'|e]; 'a'|e|upper; ('<a>'|e)[1:3]; ('a,b'|e).split(',')
'aXbX'.swapcase(); 'Straße'.casefold(); 'a\tb'.expandtabs(4); 'Hello World'.istitle(); 'a1_'.isidentifier(); 'a\n'.isprintable(); 'abc'.translate({97: 'x', 98: none}); 'abc'.translate('x'.maketrans('ab', 'yz')); 'a'.maketrans({'a': 1}); 'ŉ ǆ ﬁ'.upper(); 'ŉ ǆ ﬁ'.title(); 'x'.encode is defined; 'a,b'.split(sep=','); 'a'.strip(chars='a'); [1, 2, 1].index(1, 1); (1, 2, 1).count(1); range(10).index(3); range(2, 9, 3).step; {}.fromkeys('ab'); dict.fromkeys(['a'], 1); d.copy(); d.setdefault('a', 1); [3].sort(); {1: 2, 'a': [none]}|items|list
cycler('a', 'b').next(); joiner()(); cycler(); cycler is defined; joiner(';').sep; [1, 2]|map('nope'); [1, 'a']|map('abs')|first; [1, 'a']|map('abs')|list; [1, 2, 3]|select('>', 1)|list; ['a', 1]|select('string')|list; [1, 2]|reject('==', 1)|list; rows|selectattr('n', '>=', 2)|list|length; 'upper' is filter; 'nope' is filter; 'odd' is test; '==' is test; x is sameas none; [] is sameas []; 1 is sameas true; messages|map('attr', 'k')|list; 1 if d is nope else 2; 2 if true else 1|nope; d[1, 2]; {(1, 2): 3}[1, 2]
[1, 2, 3][10 ** 30:]; 'abc'[-10 ** 30:2]; [1, 2][10 ** 30]; 'x' * 0; range(3)[::-1]|list; [1.5, 2, 'a']|tojson; 1e16|tojson; {'a': 1}.items()|list|tojson; 5 % -3; -5 % 3; 5.5 // -2; 0.1 + 0.2; 1e308 * 10; nan; 3 == 3.0; 'a' in {'a': 1}; 1 in 'a'; none in [none]; 2.5|round; 2.675|round(2); 1234.5|round(-2); 15|round(-1); 25|round(-1); 1.25|round(1, 'ceil'); -1.25|round(1, 'floor'); 7|round(2, 'ceil'); none|round; 1|round(none); 1.5|round(none)
"""

STATEMENTS = [
    "{% for i in [1] %}{{ html is defined }}{% endfor %}{% set html = 1 %}{{ html }}", "{% macro f() %}{{ big }}{% endmacro %}{{ f() }}{% set big = 1 %}{{ f() }}", "{% for i in [1, 2] %}{% for j in [1] %}{{ big }}{% endfor %}{% set big = 5 %}{{ big }}{% endfor %}", "{% for i in [1] %}{{ big }}{% endfor %}{% if false %}{% set big = 1 %}{% endif %}{{ big }}",
    "{{ big }}{% for i in [1] %}{{ big }}{% endfor %}{% set big = 1 %}{{ big }}", "{% if false %}{{ big }}{% endif %}{% for i in [1] %}{{ big }}{% endfor %}{% set big = 1 %}{{ big }}", "{% for i in [1] %}{{ big }}{% endfor %}{% macro big() %}m{% endmacro %}{{ big() }}", "{{ big }}{% for i in [1] %}{% for j in [1] %}{{ big }}{% endfor %}{% set big = 2 %}{% endfor %}", "{% with a = big %}{% filter upper %}{{ big }}{% endfilter %}{% set big = 'x' %}{{ big }}{% endwith %}",
    "{% for k, g in rows|groupby('t') %}{{ k }}:{% for r in g %}{{ r.n }}{{ ',' if not loop.last }}{% endfor %};{% endfor %}", "{% for g in rows|groupby('t') %}{{ g.grouper }}={{ g.list|length }} {% endfor %}", "{% set c = cycler('odd', 'even') %}{% for i in range(3) %}{{ c.next() }}{{ c.current }}{{ c.pos }} {% endfor %}{{ c.reset() }}{{ c.next() }}",
    "{% set j = joiner(', ') %}{% for i in range(3) %}{{ j() }}{{ i }}{% endfor %}", "{% for n in tree recursive %}{{ loop.depth }}{{ n.v }}{% if n.c %}[{{ loop(n.c) }}]{% endif %}{{ loop.index }}/{{ loop.length }} {% else %}none{% endfor %}", "{% for n in tree recursive %}{{ n.v }}{{ loop(n.c) }}{% else %}.{% endfor %}", "{% for n in tree if n.v > 1 recursive %}{{ n.v }}{{ loop(n.c) if n.c }}{% endfor %}", "{% for n in [1] %}{{ loop([2]) }}{% endfor %}",
    "{% block a %}x{{ y }}{% endblock %}{{ self.a() }}", "{% set y = 1 %}{% block a %}{{ y }}{% set y = 2 %}{{ y }}{% endblock a %}{{ y }}", "{% for i in [1, 2] %}{% block b scoped %}{{ i }}{% endblock %}{% endfor %}", "{% for i in [1, 2] %}{% block b %}{{ i }}-{% endblock %}{% endfor %}", "{% block a %}{% endblock %}{% block a %}{% endblock %}", "{% block a required %}{% endblock %}", "{% block a required %}x{% endblock %}", "{{ self.nope is defined }}{{ self.nope() }}", "{% block a %}{{ super() }}{% endblock %}",
    "{% autoescape true %}{{ '<' }}{{ '<'|safe }}{{ d.k ~ '<' ~ html|safe }}{% set x %}<{% endset %}{{ x }}{% endautoescape %}{{ '<' }}", "{% macro f(a) %}<{{ a }}>{% endmacro %}{% autoescape true %}{{ f('<') }}{{ [html, '>'|e]|join('&') }}{{ '<a>'|replace('a', '&'|e) }}{% endautoescape %}", "{% autoescape false %}{{ '<' }}{% endautoescape %}", "{% autoescape true %}{% macro g(a) %}{{ a }}{% endmacro %}{{ g('<') }}{% endautoescape %}{{ g('<') }}", "{% autoescape true %}{% filter upper %}<a>{{ '<b>' }}{% endfilter %}{% endautoescape %}",
    "{% print 1, 'a' %}", "{% print %}", "{% include 'x' %}", "{% if false %}{% include 'x' ignore missing with context %}{% endif %}ok", "{% import 'x' as y %}", "{% if 0 %}{% from 'x' import a, b as c with context %}{% extends 'y' %}{% endif %}ok", "{% extends 'x' %}", "{% do 1 %}", "{% trans %}a{% endtrans %}", "{% if false %}{{ 1|nope }}{% endif %}ok", "{% if false %}{{ 1 is nope }}{% endif %}ok", "{% for i in [] %}{{ 1|nope }}{% endfor %}", "{% if true %}{{ 1|nope }}{% endif %}", "{% if 0 %}{% for i in [] %}{{ 1|nope }}{% endfor %}{% endif %}",
    "{% macro f(a, b=1) %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}{{ f.catch_varargs }}{{ f.caller }}{{ f }}", "{% macro f() %}{{ caller.name }}{{ caller }}{{ caller.arguments }}{{ caller(1) }}{% endmacro %}{% call(x, y=2) f() %}{{ x }}{{ y }}{% endcall %}", "{% macro f() %}{{ varargs|join }}{{ kwargs|dictsort }}{% endmacro %}{{ f(1, 2, a=3, *[4], **{'b': 5}) }}", "{% macro f(caller) %}{{ caller }}{% endmacro %}{{ f(1) }}", "{% macro f(caller=none) %}{{ caller }}{% endmacro %}{{ f() }}",
    "{% call namespace() %}{% endcall %}", "{% filter length %}abc{% endfilter %}", "{% filter replace('a', 'b')|upper %}cat{% endfilter %}", "{% set x | replace('a', 'b') | center(9) %}cat{% endset %}[{{ x }}]", "{% for i in 'ab' %}{{ loop }}{% endfor %}", "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{{ loop.cycle('a', 'b') }}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }};{% endfor %}", "{% set ns = namespace(big) %}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns['b'] }}{{ ns.c is defined }}{{ ns }}",
    "{% set g = rows|map(attribute='n') %}{{ g|first }}{{ g|list }}{{ g|list }}", "{% for i in rows|map(attribute='n') %}{{ loop.length }}{{ i }}{% endfor %}", "{% set it = [1, 2, 3]|select %}{% for i in it %}{{ i }}{% break %}{% endfor %}{{ it|list }}", "{{ 2 in [1, 2, 3]|map('int') }}", "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}", "{% for i in range(3) %}{% set ns2 = namespace(i=i) %}{% continue %}{% endfor %}{{ ns2 is defined }}",
    "  {% if true %}\n  a\n  {% endif %}\nb\n", "a {%- if true -%} b {%- endif -%} c", "  {%+ if true +%}\n x {% endif %}\n\n", "{{ 1 }}\n{{- 2 -}}\n 3",
    "{# c #}\n  {# d #}\n x {#- e -#} y", "{% raw %}{{ a }}{% if %}{% endraw %}\n.", "a\r\nb\rc\n", "\n\n", "  {{ 1 }}  \n  {% set x = 1 %}  \n{{ x }}",
    "{% for i in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.depth }};{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in [1, 2, 3, 4] if i % 2 == 0 %}{{ i }}{{ loop.length }}{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in [1] %}{% continue %}{% else %}E{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = i * 10 %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(n=0) %}{% for i in range(5) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace(go=true) %}{% for i in range(5) if ns.go %}{{ i }}{% if i == 2 %}{% set ns.go = false %}{% endif %}{% endfor %}", "{% set a, b = 1, 'x' %}{{ b }}{{ a }}", "{% set x | upper | trim %} a{{ 1 }} {% endset %}[{{ x }}]",
    "{% macro f(a, b=2, *c) %}{% endmacro %}", "{% macro f(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }}{{ f(1, 2, 3, z=4) }}{{ f(b=1) }}",
    "{% macro f() %}<{{ caller(1) }}>{% endmacro %}{% call(x) f() %}{{ x + 1 }}{% endcall %}", "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro f() %}{{ y }}{% endmacro %}{% set y = 3 %}{{ f() }}",
    "{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% filter upper %}a{{ 'b' }}{% endfilter %}", "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q }}", "{% set d.x = 1 %}", "{% if a.b.c %}{% endif %}",
    "{% set m = [1, 2]|map('string') %}{{ m|list }}{{ m|list }}", "{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}",
    "{% if x %}1{% elif d %}2{% else %}3{% endif %}", "{{ 'a' 'b' }}{{ \"}}\" }}{{ {'a': {'b': 1}}.a.b }}", "{{ messages[0].content[:5] }}{{ messages | length }}{{ (messages | last).role }}", "{% break %}", "{{ 1 ", "{% if %}", "{{ x | nope }}", "{% for i in x", "{{ [1, 2 }}",
]


def cases():
    made = []
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    for name, template in TEMPLATES.items():
        for context in conversations():
            made.append({"name": name, "template": template, "context": {**tokens, **context}})
    small = {"big": 123456789012345678901234567890, "html": "<p>a &amp; b&nbsp;<!-- c -->&lt;d&gt; &#x41;&bogus;</p>",
             "rows": [{"t": "b", "n": 1}, {"t": "A", "n": 2}, {"t": "a", "n": 3}, {"t": "b"}],
             "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}],
             "d": {"k": "v", "a": 1, "items": 3}, "x": None, "messages": [{"role": "user", "content": "Hi 😀!"}, {"role": "assistant", "content": "Yo", "n": 1}]}
    for e in EXPRESSIONS.strip().replace("\n", "; ").split("; "):
        made.append({"name": "expression", "template": "{{ " + e + " }}", "context": small})
    for s in STATEMENTS:
        made.append({"name": "statement", "template": s, "context": small})
    return made


def main():
    templates, contexts, out = [], [], []

    def index(of, value):
        if value not in of:
            of.append(value)
        return of.index(value)

    for case in cases():
        want = render(case["template"], case["context"])
        if " at 0x" in want.get("text", ""):
            continue  # Python prints an address
        out.append([index(templates, case["template"]), index(contexts, case["context"]), want])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", "jinja.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"templates": templates, "contexts": contexts, "cases": out}, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
    print(path, os.path.getsize(path), "bytes,", len(out), "cases")


if __name__ == "__main__":
    main()
