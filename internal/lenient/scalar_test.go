package lenient

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWholeNumbers(t *testing.T) {
	for written, want := range map[string]int{
		`9`: 9, `9.0`: 9, `"9"`: 9, `" 9 "`: 9, `9e0`: 9, `"9E0"`: 9, `0.9e1`: 9, `90e-1`: 9, `9.000`: 9,
		`-9`: -9, `"-9.0"`: -9, `0`: 0, `-0.0`: 0, `"-0"`: 0, `0e999999999`: 0, `0.000e-400`: 0, `1e2`: 100,
		`"\u0039"`: 9, `10`: 10, `"10"`: 10,
	} {
		assert.Equal(t, want, decoded[record](t, `{"score":`+written+`}`).Score, written)
		assert.Equal(t, want, decoded[int](t, written), written)
	}
	assert.Equal(t, int64(4503599627370497), decoded[int64](t, `4503599627370497.0`))
	assert.Equal(t, int64(9007199254740993), decoded[int64](t, `"9007199254740993.0"`))
	assert.Equal(t, int64(-1<<63), decoded[int64](t, `-9223372036854775808.0`))
	assert.Equal(t, uint64(1<<64-1), decoded[uint64](t, `"18446744073709551615"`))
	assert.Equal(t, uint8(255), decoded[record](t, `{"count":"255"}`).Count)
}

func TestWholeNumbersAreNeverTruncated(t *testing.T) {
	for _, written := range []string{
		`7.5`, `"7.5"`, `-7.5`, `0.5`, `1e300`, `"1e300"`, `1e-300`, `1e-400`, `75e-1`, `"x"`, `"NaN"`, `"Inf"`, `""`, `" "`,
		`"1_0"`, `"0x9"`, `"0x1p4"`, `"+9"`, `"9 9"`, `"9,5"`, `"09"`, `"9."`, `".9"`, `"true"`, `true`, `{}`, `[]`, `[9]`,
		`7.00000000000000000001`, `4503599627370497.0000001`, `0.99999999999999999999`, `9007199254740992.5`,
		`9223372036854775808`, `9223372036854775808.0`, `1e20`, `1e19`, `1e999999999`, `1e-999999999`,
		`1.` + strings.Repeat("0", 70) + "1",
	} {
		requireField(t, refused[record](t, `{"score":`+written+`}`), "score")
	}
	for _, written := range []string{`256`, `"256"`, `-1`, `"-1.0"`} {
		requireField(t, refused[record](t, `{"count":`+written+`}`), "count")
	}
	assert.EqualError(t, refused[record](t, `{"score":7.5}`),
		"score: json: cannot unmarshal number 7.5 into Go struct field record.score of type int")
}

func TestFloats(t *testing.T) {
	for written, want := range map[string]float64{
		`9`: 9, `9.5`: 9.5, `"9.5"`: 9.5, `" -9.5 "`: -9.5, `"1e3"`: 1000, `null`: 0,
	} {
		assert.Equal(t, want, decoded[record](t, `{"mean":`+written+`}`).Mean, written)
	}
	assert.Equal(t, float32(9.5), decoded[float32](t, `"9.5"`))
	for _, written := range []string{`"x"`, `""`, `"NaN"`, `"Inf"`, `"0x1p4"`, `1e400`, `"1e400"`, `true`, `{}`, `[]`} {
		requireField(t, refused[record](t, `{"mean":`+written+`}`), "mean")
	}
}

func TestStrings(t *testing.T) {
	for written, want := range map[string]string{
		`"a"`: "a", `""`: "", `null`: "", `12`: "12", `-1.50`: "-1.50", `1e3`: "1e3", `true`: "true", `false`: "false",
		`"\u00e9\"\\"`: `é"\`, "\"\xff\"": "\ufffd", `"\ud800"`: "\ufffd", `" a "`: " a ",
	} {
		assert.Equal(t, want, decoded[record](t, `{"id":`+written+`}`).ID, written)
	}
	assert.Equal(t, []string{"1", "a", "true"}, decoded[record](t, `{"tags":[1,"a",true]}`).Tags)
	refused[record](t, `{"links":{"0":1}}`)
	for _, written := range []string{`{}`, `[]`, `{"a":1}`} {
		requireField(t, refused[record](t, `{"id":`+written+`}`), "id")
	}
}

func TestBooleans(t *testing.T) {
	for written, want := range map[string]bool{
		`true`: true, `"true"`: true, `1`: true, `"1"`: true, `" true "`: true,
		`false`: false, `"false"`: false, `0`: false, `"0"`: false, `null`: false,
	} {
		v := record{Active: !want && written != `null`}
		assert.NoError(t, Unmarshal([]byte(`{"active":`+written+`}`), &v), written)
		assert.Equal(t, want, v.Active, written)
	}
	for _, written := range []string{`"x"`, `""`, `2`, `"2"`, `-1`, `10`, `1.0`, `"yes"`, `"True"`, `{}`, `[]`} {
		requireField(t, refused[record](t, `{"active":`+written+`}`), "active")
	}
}

func TestTimes(t *testing.T) {
	half := time.Date(2025, 1, 15, 10, 30, 0, 0, time.UTC)
	for written, want := range map[string]time.Time{
		`"2025-01-15T10:30:00Z"`: half, `"2025-01-15T10:30:00"`: half, `"2025-01-15 10:30:00"`: half,
		`"2025-01-15T10:30Z"`: half, `"2025-01-15T10:30"`: half, `"2025-01-15 10:30"`: half,
		`"2025-01-15T10:30:00+00"`: half, `"2025-01-15T10:30:00+0000"`: half, `"2025-01-15T10:30+00"`: half,
		`"2025-01-15T12:30:00+02:00"`: half, `"2025-01-15T12:30:00+02"`: half, `"2025-01-15T12:30:00+0200"`: half,
		`"2025-01-15T12:30+02:00"`: half, `"2025-01-15T12:30+0200"`: half, `"2025-01-15 12:30:00 +0200"`: half,
		`"2025-01-15 10:30:00 UTC"`: half, `"2025-01-15t10:30:00z"`: half, `" 2025-01-15T10:30:00Z "`: half,
		`"2025-01-15"`:                  half.Truncate(24 * time.Hour),
		`"2025-01-15T10:30:00.123456Z"`: half.Add(123456 * time.Microsecond),
		`"2025-01-15 10:30:00.5"`:       half.Add(500 * time.Millisecond),
		`"2025-01-15T12:30:00.5+0200"`:  half.Add(500 * time.Millisecond),
		`1736937000`:                    half, `"1736937000"`: half, `1.736937e9`: half, `"1736937000.0"`: half,
		`1736937000000`: half, `"1736937000000"`: half, `1.736937e12`: half,
		`1736937000.123456`: half.Add(123456 * time.Microsecond), `"1736937000.5"`: half.Add(500 * time.Millisecond),
		`1736937000123`: half.Add(123 * time.Millisecond), `1736937000000.25`: half.Add(250 * time.Microsecond),
		`0`: time.Unix(0, 0), `-1`: time.Unix(-1, 0), `99999999999`: time.Unix(99999999999, 0),
		`100000000000`: time.UnixMilli(1e11), `253402300799000`: time.UnixMilli(253402300799000),
	} {
		got := decoded[record](t, `{"at":`+written+`}`).At
		assert.True(t, want.Equal(got), "%s: %s", written, got)
	}
	_, offset := decoded[record](t, `{"at":"2025-01-15 12:30:00+0200"}`).At.Zone()
	assert.Equal(t, 7200, offset)
	assert.Equal(t, half, decoded[time.Time](t, `1736937000`))
	assert.Equal(t, new(time.Time), decoded[*time.Time](t, `"x"`))
}

func TestTimesThatCannotBeReadAreZero(t *testing.T) {
	for _, written := range []string{
		`""`, `" "`, `null`, `"x"`, `"yesterday"`, `"2025-13-01T00:00:00Z"`, `"2025-02-30"`, `"10:30"`, `"2025-01-15X10:30:00Z"`,
		`"0001-01-01T00:00:00Z"`, `"NaN"`, `"Inf"`, `1e300`, `1e400`, `"1e400"`, `253402300800000`, `-99999999999`, `-1e15`, `1e15`,
		`true`, `false`, `{}`, `[]`, `{"seconds":1}`, `["2025-01-15T10:30:00Z"]`, `"2025-01-15T10:30:00+99:99"`,
	} {
		v := decoded[record](t, `{"id":"a","at":`+written+`,"score":"7"}`)
		assert.Equal(t, record{ID: "a", Score: 7}, v, written)
	}
}

func TestEmptyContainers(t *testing.T) {
	for _, written := range []string{`[]`, `[ ]`, `{}`, `null`} {
		v := decoded[record](t, `{"nested":`+written+`,"links":`+written+`}`)
		assert.Zero(t, v.Nested, written)
		assert.Empty(t, v.Links, written)
	}
	for _, written := range []string{`[]`, `{}`, `{ }`, `""`, `null`} {
		v := decoded[record](t, `{"list":`+written+`,"tags":`+written+`}`)
		assert.Empty(t, v.List, written)
		assert.Empty(t, v.Tags, written)
	}
	for field, values := range map[string][]string{
		"nested": {`[1]`, `[[]]`, `""`, `0`, `false`, `"x"`},
		"links":  {`[1]`, `""`, `0`, `"x"`},
		"list":   {`{"a":1}`, `" "`, `0`, `"x"`, `false`},
		"tags":   {`{"a":1}`, `0`, `"x"`},
	} {
		for _, written := range values {
			requireField(t, refused[record](t, `{`+quote(field)+`:`+written+`}`), field)
		}
	}
}
