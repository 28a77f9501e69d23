package clicknps

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// WithBaseURL sets the address of ClickNPS. It is used as given; without any path, /v1 is added.
// The default is CLICKNPS_BASE_URL, else https://api.clicknps.com/v1.
func WithBaseURL(rawURL string) Option {
	return option(func(c *config) error {
		c.baseURL = setting{rawURL, "WithBaseURL"}
		return nil
	})
}

// WithSalesOSBaseURL is [WithBaseURL] for SalesOS. The default is SALESOS_BASE_URL, else
// https://api.salesos.org/v1.
func WithSalesOSBaseURL(rawURL string) Option {
	return option(func(c *config) error {
		c.salesOSBaseURL = setting{rawURL, "WithSalesOSBaseURL"}
		return nil
	})
}

// WithPlainHTTP allows http:// to other hosts than loopback. It sends credentials unencrypted.
func WithPlainHTTP() Option {
	return option(func(c *config) error {
		c.plainHTTP = true
		return nil
	})
}

// setting is a value and the option or variable that it comes from.
type setting struct{ value, from string }

func readURL(s *setting, variable string) {
	if value := os.Getenv(variable); value != "" && s.from == "" {
		*s = setting{value, variable}
	}
}

// parseBaseURL checks a base URL and removes its trailing slashes.
func parseBaseURL(s setting, plainHTTP bool) (*url.URL, error) {
	u, err := url.Parse(s.value)
	if err != nil {
		u = &url.URL{}
	}
	problem := ""
	switch {
	case err != nil:
		problem = "it can't be parsed"
	case u.Scheme != "https" && u.Scheme != "http":
		problem = "it must begin with https://"
	case u.Hostname() == "":
		problem = "it has no host"
	case u.User != nil:
		problem = "it must not have a user or password"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		problem = "it must not have a query or fragment"
	case u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()):
		problem = "http:// would send the credential in the clear: use https://, or WithPlainHTTP"
	}
	if problem != "" {
		return nil, invalidOption(s.from,
			fmt.Sprintf("%q is no base URL: %s", withoutUserInfo(s.value), problem))
	}
	base := &url.URL{
		Scheme: u.Scheme, Host: u.Host,
		Path: strings.TrimRight(u.Path, "/"), RawPath: strings.TrimRight(u.RawPath, "/"),
	}
	if base.Path == "" {
		base.Path = "/v1"
	}
	return base, nil
}

// withoutUserInfo cuts user, password, query and fragment from a URL, even if it can't be parsed.
func withoutUserInfo(rawURL string) string {
	rawURL = rawURL[:strings.IndexAny(rawURL+"?", "?#")]
	if i := strings.LastIndex(rawURL, "@"); i >= 0 {
		scheme, _, found := strings.Cut(rawURL[:i], "//")
		if !found {
			scheme = ""
		}
		rawURL = scheme + "//" + rawURL[i+1:]
	}
	return rawURL
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
