package clicknpstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	tokenLifetime = 24 * time.Hour
	tokenSecret   = "the fake signs its tokens with this"
	jwtHeader     = `{"alg":"HS256","typ":"JWT"}`
)

// jwtClaims is what a SalesOS token says.
type jwtClaims struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

// SalesOSToken returns a new JWT for SalesOS. It expires 24 hours from now, in the fake's time.
func (s *Server) SalesOSToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload := marshal(jwtClaims{
		Subject:  "user_1",
		Email:    "user@example.com",
		ID:       s.store.newUUID(),
		IssuedAt: s.now().Unix(),
		Expiry:   s.now().Add(tokenLifetime).Unix(),
	})
	unsigned := base64URL([]byte(jwtHeader)) + "." + base64URL(payload)
	return unsigned + "." + base64URL(jwtSignature(unsigned))
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jwtSignature(unsigned string) []byte {
	mac := hmac.New(sha256.New, []byte(tokenSecret))
	mac.Write([]byte(unsigned))
	return mac.Sum(nil)
}

// salesOS puts in front of next what every SalesOS endpoint does: rate limit and credentials.
func salesOS(next handler) handler {
	return func(s *Server, req *request) answer {
		who, ok := s.authenticate(req.header)
		header, refused := s.useSalesOSLimit(who)
		var a answer
		switch {
		case refused:
			a = salesOSError(http.StatusTooManyRequests, "Too Many Requests", "")
		case !ok:
			a = salesOSError(http.StatusUnauthorized, "Unauthorized", "")
		default:
			a = next(s, req)
		}
		for name, values := range header {
			a.header[name] = values
		}
		return a
	}
}

// authenticate names whose limit a request counts against, and reports whether it is let in.
func (s *Server) authenticate(h http.Header) (who string, ok bool) {
	if key := h.Get("X-API-Key"); key != "" {
		return "key " + key, key == salesOSKey
	}
	token, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	unsigned, signature, _ := cutLast(token, ".")
	if signature != base64URL(jwtSignature(unsigned)) {
		return "anonymous", false
	}
	var claims jwtClaims
	_, payload, _ := strings.Cut(unsigned, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return "anonymous", false
	}
	return claims.Subject, s.now().Before(time.Unix(claims.Expiry, 0))
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// useSalesOSLimit counts a request, and returns the header that its answer bears.
func (s *Server) useSalesOSLimit(who string) (header http.Header, refused bool) {
	header = http.Header{}
	if s.salesOSLimit == 0 {
		return header, false
	}
	w, ok := s.salesQuota[who]
	if !ok {
		w = &window{length: time.Minute, limit: s.salesOSLimit}
		s.salesQuota[who] = w
	}
	ok, rest := w.hit(s.now())
	reset := time.Now().Add(rest + time.Second - 1) // in the client's time; Unix rounds down
	header.Set("X-RateLimit-Limit", strconv.Itoa(w.limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(w.remaining()))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if !ok {
		header.Set("Retry-After", strconv.Itoa(seconds(rest)))
	}
	return header, !ok
}

// salesOSError says message, a string or a list of strings.
func salesOSError[M string | []string](status int, message M, kind string) answer {
	return jsonAnswer(status, struct {
		StatusCode int    `json:"statusCode"`
		Message    M      `json:"message"`
		Error      string `json:"error,omitempty"`
	}{status, message, kind})
}
