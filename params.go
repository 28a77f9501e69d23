package clicknps

// valueOf is what params point to, or the zero value: nil list params ask for nothing special.
func valueOf[T any](params *T) T {
	if params == nil {
		var zero T
		return zero
	}
	return *params
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func required(field, name, value string) error {
	if value == "" {
		return invalid(field, "%s must not be empty", name)
	}
	return nil
}

// notEmptied refuses to set a field to nothing: nil leaves it as it is.
func notEmptied[S ~string](field, name string, value *S) error {
	if value == nil {
		return nil
	}
	return required(field, name, string(*value))
}
