package apierror_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/apierror"
)

const squid = `<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">
<html><head>
<meta type="copyright" content="Copyright (C) 1996-2020 The Squid Software Foundation">
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<title>ERROR: The requested URL could not be retrieved</title>
<style type="text/css"><!--
 body { font-family: verdana; }
--></style>
</head><body id=ERR_ACCESS_DENIED>
<div id="titles"><h1>ERROR</h1><h2>The requested URL could not be retrieved</h2></div><hr>
<p>The following error was encountered: <a href="x">http://api/v1&amp;x</a></p><p><b>Access Denied.</b></p>
<script>var hidden = 1</script></body></html>`

func TestExcerpt(t *testing.T) {
	t.Parallel()
	x := strings.Repeat("x", 300)
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"nothing", "application/json", "", "application/json, empty body"},
		{"nothing at all", "", "", "no content type, empty body"},
		{"plain text", "text/plain", "Not found", `text/plain "Not found"`},
		{"no type", "", "?", `no content type "?"`},
		{"a type that is none", ";;", "?", `no content type "?"`},
		{"a long type", "a/" + x, "?", "a/" + x[:115] + `… "?"`},
		{"JSON", "application/json", `{"code":7}`, `application/json "{\"code\":7}"`},
		{"bytes", "image/png", "\x89PNG\x00\x1b[31m\u202e", `image/png "` + "\ufffd" + `PNG [31m\u202e"`},
		{"120 bytes", "text/plain", x[:120], `text/plain "` + x[:120] + `"`},
		{"121 bytes", "text/plain", x[:121], `text/plain "` + x[:120] + `…"`},
		{"cut in a character", "text/plain", x[:119] + "日本", `text/plain "` + x[:119] + "\ufffd" + `…"`},
		{"cut in bytes", "text/plain", strings.Repeat("\x80", 200), `text/plain "` + "\ufffd" + `…"`},
		{"HTML", "text/html; charset=utf-8", "<html>\r\n<h1>Bad\tGateway</h1>", `text/html "Bad Gateway"`},
		{
			"nginx", "text/html", "<head><title>502 Bad Gateway</title></head><h1>502 Bad Gateway</h1><hr>nginx",
			`text/html "502 Bad Gateway 502 Bad Gateway nginx"`,
		},
		{"squid", "text/html", squid, `text/html "ERROR: The requested URL could not be retrieved ` +
			`ERROR The requested URL could not be retrieved ` +
			`The following error was encountered: http://api/v1&x Access Denied."`},
		{
			"a title only", "text/html", "<title lang=en>\n Sign&nbsp;in </title><script src=x></script>",
			`text/html "Sign in"`,
		},
		{"an empty title", "text/html", "<title> </title>text", `text/html "text"`},
		{"HTML without a type", "", "<!DOCTYPE html><p>Blocked", `no content type "Blocked"`},
		{"HTML without text", "text/html", "<html></html>", `text/html "<html></html>"`},
		{"HTML in capitals", "TEXT/HTML", "<P>Down<BR>again<STYLE>x</STYLE>", `text/html "Down again"`},
		{"a page of 240 bytes", "text/html", "<p>" + x[:240], `text/html "` + x[:240] + `"`},
		{"a long page", "text/html", "<p>" + x, `text/html "` + x[:240] + `…"`},
		{"a comment", "text/html", "<!-- <p>no --><p>yes", `text/html "yes"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, apierror.Excerpt(http.Header{"Content-Type": {tt.contentType}}, tt.body))
		})
	}
}

func TestIsHTML(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]bool{
		"text/html": true, " Text/HTML; charset=utf-8": true, "application/xhtml+xml": true,
		"text/plain": false, "application/json": false, "application/xml": false, "x-text/html": false,
	} {
		assert.Equal(t, want, apierror.IsHTML(contentType, []byte("<html>")), contentType)
	}
	assert.True(t, apierror.IsHTML("", []byte("  <!DOCTYPE html>")))
	assert.False(t, apierror.IsHTML("", []byte(`{"a":1}`)))
	assert.False(t, apierror.IsHTML("", nil))
}

func TestClean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "",
		"plain – ünïcode, 日本, 🙂":   "plain – ünïcode, 日本, 🙂",
		"no\u00a0break":            "no\u00a0break",
		"a\nb\r\n\tc":              `a\nb\r\n\tc`,
		"\x1b[31mred\x07":          `\x1b[31mred\a`,
		"nul\x00 del\x7f c1\u009b": `nul\x00 del\x7f c1\u009b`,
		"\u202egnp.exe\u2066":      `\u202egnp.exe\u2066`,
		"line\u2028par\u2029":      `line\u2028par\u2029`,
		"zero\u200bwidth\ufeff":    `zero\u200bwidth\ufeff`,
		"bad \xff\xc3 utf-8":       `bad \xff\xc3 utf-8`,
		"\ufffd is a character":    "\ufffd is a character",
		`quo"te and back\slash`:    `quo"te and back\slash`,
	} {
		assert.Equal(t, want, apierror.Clean(text, 1000), "%q", text)
	}
}

func TestCleanCuts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		max  int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"abcü", 5, "abcü"},
		{"abüdef", 6, "ab…"},
		{"abüdefg", 7, "abü…"},
		{"abüdef", 7, "abüdef"},
		{"ab\ncd", 6, `ab\ncd`},
		{"ab\ncd", 5, `ab…`},
		{"\x1b\x1b\x1b", 8, `\x1b…`},
		{"\x1b\x1b", 8, `\x1b\x1b`},
		{"abcdef", 3, "…"},
		{"", 0, ""},
		{strings.Repeat("a\n", 1<<20), 9, `a\na\n…`},
	} {
		assert.Equal(t, tt.want, apierror.Clean(tt.text, tt.max), "%q %d", tt.text, tt.max)
		assert.LessOrEqual(t, len(apierror.Clean(tt.text, tt.max)), max(tt.max, 3))
	}
}
