package clicknps

// ListOptions selects a page of a list.
type ListOptions struct {
	Limit  int `url:"limit,omitempty"`  // items a page; 0: the server's default in List, 100 in All
	Offset int `url:"offset,omitempty"` // items to skip
}

// Page is one page of a list.
type Page[T any] struct {
	Data       []T
	Pagination Pagination
}

// Pagination says where in its list a [Page] stands.
type Pagination struct {
	Total   int  `json:"total"`
	Limit   int  `json:"limit"`
	Offset  int  `json:"offset"`
	HasMore bool `json:"has_more"`
}
