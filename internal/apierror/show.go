package apierror

import (
	"html"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Excerpt describes an answer that is not understood: its content type and the first bytes of its
// body. Of an HTML page it shows the title and the first text.
func Excerpt(header http.Header, body string) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "no content type"
	}
	kind = Clean(kind, 120)
	if body == "" {
		return kind + ", empty body"
	}
	limit := 120
	if IsHTML(header.Get("Content-Type"), []byte(body[:min(len(body), 512)])) {
		if text := pageText(body[:min(len(body), 64<<10)]); text != "" {
			body, limit = text, 240
		}
	}
	limit = min(len(body), limit)
	text := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(body[:limit], "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if limit < len(body) {
		text += "…"
	}
	return kind + " " + strconv.Quote(text)
}

var notText = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script>|<style\b.*?</style>|<[^>]*>`)

// pageText returns the text of an HTML page, of which the title is the first.
func pageText(page string) string {
	return strings.Join(strings.Fields(html.UnescapeString(notText.ReplaceAllString(page, " "))), " ")
}

// IsHTML reports whether an answer is an HTML page, as proxies and login pages send it: by its
// content type, or without one by the first bytes of its body.
func IsHTML(contentType string, head []byte) bool {
	if contentType == "" {
		contentType = http.DetectContentType(head)
	}
	kind := strings.ToLower(strings.TrimSpace(contentType))
	return strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "application/xhtml+xml")
}

// Clean makes a server's text fit for logs and terminals. Control characters, line breaks,
// invisible formatting characters and invalid UTF-8 are escaped as in Go strings (\n, \x1b,
// \u202e). A result over max bytes is cut and ends in "…", which max includes.
func Clean(s string, max int) string {
	const ellipsis = "…"
	var b strings.Builder
	fits := 0 // bytes of b that leave space for the ellipsis
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		char := s[i : i+size]
		if r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) {
			quoted := strconv.Quote(char)
			char = quoted[1 : len(quoted)-1]
		}
		b.WriteString(char)
		if b.Len() <= max-len(ellipsis) {
			fits = b.Len()
		}
		if b.Len() > max {
			return b.String()[:fits] + ellipsis
		}
		i += size
	}
	return b.String()
}
