package clicknps

import "time"

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
	ExpiresAt time.Time
	Response  *int // the score, once the customer has answered; nil before

	origin
}
