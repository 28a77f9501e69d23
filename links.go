package clicknps

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// LinksService mints the links that customers answer ClickNPS surveys with. It is safe for concurrent use.
type LinksService struct{ api *service }

// LinkMintParams is the body of [LinksService.Mint].
type LinkMintParams struct {
	SurveyID    string `json:"survey_id"`              // required; letters, digits, "_" and "-"
	SubjectID   string `json:"subject_id"`             // required; the customer; letters, digits, "_" and "-"
	TTLDays     int    `json:"ttl_days,omitzero"`      // 1–365 days; 0: the server's default, 30
	RedirectURL string `json:"redirect_url,omitempty"` // where the customer is sent after the click
}

// MintedLinks are the eleven links that one customer can answer one survey with.
type MintedLinks struct {
	Links     [11]string // Links[score] is the link that answers with this score
	ExpiresAt time.Time  // when the links cease to work
	Response  *int       // the score, once the customer has answered; nil before

	origin
}

// Mint returns the eleven links for one customer and survey. Minting again returns the same links.
// It fails with [ErrInvalidParams] if an id or a bound of params is not right, [ErrValidation] or [ErrNotFound] if the server does not
// know the survey, and [ErrOutcomeUnknown] if all answers were lost.
//
// POST /v1/links/mint
func (s *LinksService) Mint(ctx context.Context, params *LinkMintParams, opts ...RequestOption) (*MintedLinks, error) {
	return fetch[MintedLinks](ctx, s.api, call{method: http.MethodPost, path: []string{"links", "mint"}, body: params}, opts)
}

// wireLinks are minted links as the server sends them.
type wireLinks struct {
	Links     map[string]string `json:"links"`
	ExpiresAt time.Time         `json:"expires_at"`
	Response  *int              `json:"response"`
}

// UnmarshalJSON decodes what POST /v1/links/mint answers. A link that is missing is an error.
func (m *MintedLinks) UnmarshalJSON(data []byte) error {
	var wire wireLinks
	if err := unmarshal(data, &wire); err != nil {
		return err
	}
	for score := range m.Links {
		if m.Links[score] = wire.Links[strconv.Itoa(score)]; m.Links[score] == "" {
			return fmt.Errorf("the link for score %d is missing", score)
		}
	}
	m.ExpiresAt, m.Response = wire.ExpiresAt, wire.Response
	return nil
}

// MarshalJSON encodes the links as the server does.
func (m MintedLinks) MarshalJSON() ([]byte, error) {
	wire := wireLinks{Links: make(map[string]string, len(m.Links)), ExpiresAt: m.ExpiresAt, Response: m.Response}
	for score, link := range m.Links {
		wire.Links[strconv.Itoa(score)] = link
	}
	return json.Marshal(wire)
}

func (m *MintedLinks) identity() string { return m.Links[0] }

const maxTTLDays = 365

func (p *LinkMintParams) validate() error {
	switch {
	case p.TTLDays < 0 || p.TTLDays > maxTTLDays:
		return invalid("ttl_days", "TTLDays must be 1–%d, or 0 for the server's default", maxTTLDays)
	case p.RedirectURL != "":
		if u, err := url.Parse(p.RedirectURL); err != nil || !u.IsAbs() {
			return invalid("redirect_url", "RedirectURL must be absolute")
		}
	}
	return first(mintable("survey_id", "SurveyID", p.SurveyID), mintable("subject_id", "SubjectID", p.SubjectID))
}

const mintableCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

func mintable(field, name, id string) error {
	if strings.Trim(id, mintableCharacters) != "" {
		return invalid(field, `%s may have letters, digits, "_" and "-" only`, name)
	}
	return required(field, name, id)
}
