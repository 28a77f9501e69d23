package lenient

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
)

// scanner finds the end of a JSON value that comes in parts.
type scanner struct {
	end     int  // of what is scanned
	depth   int  // of the objects and lists that are open there
	deepest int  // the greatest depth so far
	quoted  bool // whether a string is open there
}

// scan goes on with the value that data begins with, and reports whether its end is there. It does
// not check the value.
func (s scanner) scan(data []byte) (scanner, bool) {
	for ; s.end < len(data); s.end++ {
		switch c := data[s.end]; {
		case s.quoted || c == '"':
			if !s.quoted {
				s.end++
			}
			n := bytes.IndexByte(data[s.end:], '"')
			if n < 0 {
				s.end, s.quoted = len(data), true
				return s, false
			}
			s.end += n
			s.quoted = data[s.end-1] == '\\' && (s.end-len(bytes.TrimRight(data[:s.end], `\`)))%2 == 1
		case c == '{' || c == '[':
			s.depth++
			s.deepest = max(s.deepest, s.depth)
		case s.depth == 0 && strings.IndexByte(",:]} \t\r\n", c) >= 0:
			return s, true
		case c == '}' || c == ']':
			s.depth--
		default:
			continue
		}
		if s.depth == 0 && !s.quoted {
			s.end++
			return s, true
		}
	}
	return s, false
}

// check refuses a scanned value that is no valid JSON, or nested too deep.
func (s scanner) check(value []byte) error {
	if !json.Valid(value) {
		return syntaxError("", value)
	}
	if s.deepest > MaxDepth {
		return errTooDeep
	}
	return nil
}

// syntaxError returns what encoding/json says about JSON that can't stand behind other JSON.
func syntaxError(before string, data []byte) error {
	return json.Unmarshal([]byte(before+string(data)+" "), new(any)) // a space ends a number
}

// space returns the index of the first byte from i on that is no white space, or len(data).
func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	return i
}

// isEmpty reports whether a value is an object or list without elements that begins so.
func isEmpty(data []byte, begin byte) bool {
	return data[0] == begin && space(data, 1) == len(data)-1
}

// elements returns the names and values in an object, or the values in a list.
func elements(data []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := space(data, 1); i < len(data)-1; i = space(data, i+1) { // behind the comma
			var name []byte
			if data[0] == '{' {
				s, _ := scanner{}.scan(data[i:])
				quoted := data[i : i+s.end]
				i = space(data, space(data, i+s.end)+1) // behind the colon
				name = quoted[1 : len(quoted)-1]
				if bytes.IndexByte(name, '\\') >= 0 {
					name = []byte(text(quoted))
				}
			}
			s, _ := scanner{}.scan(data[i:])
			if !yield(name, data[i:i+s.end]) {
				return
			}
			i = space(data, i+s.end)
		}
	}
}
