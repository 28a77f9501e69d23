package lenient

import (
	"bytes"
	"iter"
	"strings"
)

// scan returns the end of the value at data[i], and how deep it is nested. The JSON must be valid.
func scan(data []byte, i int) (end, deepest int) {
	switch data[i] {
	case '"':
		return stringEnd(data, i), 0
	case '{', '[':
		for depth := 0; ; i++ {
			switch data[i] {
			case '"':
				i = stringEnd(data, i) - 1
			case '{', '[':
				depth++
				deepest = max(deepest, depth)
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1, deepest
				}
			}
		}
	}
	for i < len(data) && strings.IndexByte(",]} \t\r\n", data[i]) < 0 {
		i++
	}
	return i, 0
}

// stringEnd returns the end of the string at data[i].
func stringEnd(data []byte, i int) int {
	for {
		i += 1 + bytes.IndexByte(data[i+1:], '"')
		backslashes := 0
		for data[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i + 1
		}
	}
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
				end := stringEnd(data, i)
				name = data[i+1 : end-1]
				if bytes.IndexByte(name, '\\') >= 0 {
					name = []byte(text(data[i:end]))
				}
				i = space(data, space(data, end)+1) // behind the colon
			}
			end, _ := scan(data, i)
			if !yield(name, data[i:end]) {
				return
			}
			i = space(data, end)
		}
	}
}
