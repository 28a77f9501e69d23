package lenient

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decodeScalar sets v to the number or boolean in data, if that is possible.
func decodeScalar(data []byte, v reflect.Value) bool {
	s, err := strings.TrimSpace(text(data)), error(nil)
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(s == "true" || s == "1")
		return v.Bool() || s == "false" || s == "0"
	case data[0] > '9', data[0] == '"' && !isNumber(s):
		return false
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(wholeNumber(s), 10, v.Type().Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(wholeNumber(s), 10, v.Type().Bits())
		v.SetUint(n)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(s, v.Type().Bits())
		v.SetFloat(f)
	default:
		return false
	}
	return err == nil
}

// text returns the text of a string, or the JSON of another value.
func text(data []byte) string {
	switch {
	case data[0] != '"':
		return string(data)
	case bytes.IndexByte(data, '\\') < 0 && utf8.Valid(data):
		return string(data[1 : len(data)-1])
	}
	var s string
	_ = json.Unmarshal(data, &s) // it is valid
	return s
}

func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && json.Valid([]byte(s))
}

// wholeNumber writes a number without fraction and exponent. It returns "" if that is impossible
// or takes far too many digits.
func wholeNumber(number string) string {
	if !strings.ContainsAny(number, ".eE") {
		return number
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimRight(whole+fraction, "0")
	if strings.Trim(digits, "-0") == "" {
		return "0"
	}
	shift, err := strconv.Atoi(cmp.Or(exponent, "0"))
	zeros := len(whole) + shift - len(digits)
	if err != nil || zeros < 0 || zeros > len("18446744073709551615") {
		return ""
	}
	return digits + strings.Repeat("0", zeros)
}

var (
	tidy    = strings.NewReplacer(" ", "", "UTC", "Z")
	layouts = []string{
		"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
		"2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07",
		time.DateOnly,
	}
)

// parseTime reads a date, with or without a time of day, or Unix time. What it can't read is the
// zero time.
func parseTime(data []byte) time.Time {
	var t time.Time
	if data[0] == '"' && t.UnmarshalJSON(data) == nil {
		return t
	}
	s := strings.ToUpper(strings.TrimSpace(text(data)))
	if isNumber(s) {
		f, _ := strconv.ParseFloat(s, 64) // infinite if it is too large
		if f < 1e11 {                     // milliseconds from here on would be the year 5138 in seconds
			f *= 1e3
		}
		if f < -62135596800e3 || f >= 253402300800e3 { // not in the years 1 to 9999
			return time.Time{}
		}
		return time.UnixMicro(int64(math.Round(f * 1e3))).UTC()
	}
	if len(s) > len(time.DateOnly) && (s[10] == ' ' || s[10] == 'T') {
		s = s[:10] + "T" + tidy.Replace(s[11:])
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
