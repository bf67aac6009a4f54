//! Enumerations that are written as words in a configuration.

/// A value that a configuration writes as a word. [`named!`](crate::named) implements it.
pub trait Word: Copy + Sized {
    /// The value of this name, or of another accepted spelling.
    fn from_word(text: &str) -> Option<Self>;
    /// The name of the value.
    fn word(self) -> &'static str;
    /// All names, for an error's text.
    fn words() -> String;
}

/// Declares an enumeration whose variants each have a name, and maybe further accepted spellings.
///
/// ```
/// media::named! {
///     /// A colour.
///     pub enum Colour {
///         /// As blood.
///         Red = "red",
///         /// As ash.
///         Grey = "grey" | "gray",
///     }
/// }
/// assert_eq!(Colour::from_name("gray"), Some(Colour::Grey));
/// assert_eq!(Colour::Grey.to_string(), "grey");
/// ```
#[macro_export]
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident = $text:literal $(| $alias:literal)*
            ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// The name in a configuration.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }

            /// The value of this name; `None` if there is none.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $( $text $(| $alias)* => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl $crate::Word for $name {
            fn from_word(text: &str) -> Option<Self> {
                Self::from_name(text)
            }

            fn word(self) -> &'static str {
                self.name()
            }

            fn words() -> String {
                [$( $text ),+].join(", ")
            }
        }
    };
}
