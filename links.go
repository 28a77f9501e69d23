package clicknps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// LinksService mints the links with which customers answer ClickNPS surveys.
type LinksService struct{ api *service }

// LinkMintParams is the body of [LinksService.Mint].
type LinkMintParams struct {
	SurveyID    string `json:"survey_id"`              // required; 1–255 letters, digits, "_" and "-"
	SubjectID   string `json:"subject_id"`             // required; the customer; likewise
	TTLDays     int    `json:"ttl_days,omitzero"`      // 1–365 days; 0: the survey's own, usually 30
	RedirectURL string `json:"redirect_url,omitempty"` // where the customer is sent after the click
}

// MintedLinks holds the links with which one customer can answer one survey.
type MintedLinks struct {
	Links     ScoreLinks `json:"links"`
	ExpiresAt time.Time  `json:"expires_at,omitzero"`  // when the links cease to work; it may have passed
	Score     int        `json:"response" absent:"-1"` // once the customer has answered; NoScore before

	RawJSON json.RawMessage `json:"-"` // as received; nil without [WithRawJSON]
}

// ScoreLinks holds the link for each score from 0 to 10. Its JSON is an object with scores as
// names.
type ScoreLinks [11]string

// MarshalJSON implements [json.Marshaler].
func (l ScoreLinks) MarshalJSON() ([]byte, error) {
	wire := make(map[string]string, len(l))
	for score, link := range l {
		wire[strconv.Itoa(score)] = link
	}
	return json.Marshal(wire)
}

// UnmarshalJSON implements [json.Unmarshaler]. It fails if a link is missing.
func (l *ScoreLinks) UnmarshalJSON(data []byte) error {
	var wire map[string]json.RawMessage
	if err := json.Unmarshal(data, &wire); err != nil {
		return errors.New("links: not an object")
	}
	for score := range l {
		var link string
		if json.Unmarshal(wire[strconv.Itoa(score)], &link) != nil || link == "" {
			return fmt.Errorf("links: the link for score %d is missing", score)
		}
		l[score] = link
	}
	return nil
}

// Mint returns the links for one customer and survey (POST /v1/links/mint). Minting again returns
// the same links, even if they have expired: check ExpiresAt. It fails with [ErrInvalidParams] or
// [ErrOutcomeUnknown], and with [ErrNotFound] or [ErrValidation] if there is no such survey.
func (s *LinksService) Mint(
	ctx context.Context, params *LinkMintParams, opts ...RequestOption,
) (*MintedLinks, error) {
	c := call{operation: "Links.Mint", method: http.MethodPost, route: "/links/mint", body: params}
	return fetch[MintedLinks](ctx, s.api, c, opts)
}

func (m *MintedLinks) parts() (*string, *json.RawMessage) { return &m.Links[0], &m.RawJSON }

func (p *LinkMintParams) validate() error {
	switch {
	case p.TTLDays < 0 || p.TTLDays > 365:
		return invalid("ttl_days", "TTLDays must be 1–365, or 0 for the server's default")
	case p.RedirectURL != "":
		if u, err := url.Parse(p.RedirectURL); err != nil || !u.IsAbs() {
			return invalid("redirect_url", "RedirectURL must be absolute")
		}
	}
	return first(
		mintable("survey_id", "SurveyID", p.SurveyID),
		mintable("subject_id", "SubjectID", p.SubjectID),
	)
}

const mintableCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

func mintable(field, name, id string) error {
	switch {
	case strings.Trim(id, mintableCharacters) != "":
		return invalid(field, `%s may have letters, digits, "_" and "-" only`, name)
	case len(id) > maxID:
		return invalid(field, "%s must not be longer than %d bytes", name, maxID)
	}
	return required(field, name, id)
}
