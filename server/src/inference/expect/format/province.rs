//! The provinces by their codes (INEC, División Político Administrativa) and their names.

use super::{Flaw, Form, digits};

/// The names, in the order of the codes from 01.
const NAMES: [&str; 24] = [
    "Azuay",
    "Bolívar",
    "Cañar",
    "Carchi",
    "Cotopaxi",
    "Chimborazo",
    "El Oro",
    "Esmeraldas",
    "Guayas",
    "Imbabura",
    "Loja",
    "Los Ríos",
    "Manabí",
    "Morona Santiago",
    "Napo",
    "Pastaza",
    "Pichincha",
    "Tungurahua",
    "Zamora Chinchipe",
    "Galápagos",
    "Sucumbíos",
    "Orellana",
    "Santo Domingo de los Tsáchilas",
    "Santa Elena",
];

/// Two digits: 01 to 24, or 30 for those who live abroad.
pub(super) fn code(text: &str) -> Result<Form, Flaw> {
    let [tens, ones]: [u8; 2] = digits(text).ok_or(Flaw::Shape)?;
    let code = usize::from(tens * 10 + ones);
    if (1..=NAMES.len()).contains(&code) || code == 30 { Ok(Form::Normal) } else { Err(Flaw::Shape) }
}

/// With the zero that numbers lose.
pub(super) fn padded(text: &str) -> String {
    format!("{:0>2}", text.trim())
}

pub(super) fn name(text: &str) -> Result<Form, Flaw> {
    if NAMES.contains(&text) { Ok(Form::Normal) } else { Err(Flaw::Shape) }
}

/// The province that is written so but for case, accents and spaces.
pub(super) fn known(text: &str) -> Option<&'static str> {
    let wanted = folded(text);
    NAMES.into_iter().find(|name| folded(name) == wanted)
}

fn folded(text: &str) -> String {
    let plain = |letter| match letter {
        'á' => 'a',
        'é' => 'e',
        'í' => 'i',
        'ó' => 'o',
        'ú' | 'ü' => 'u',
        'ñ' => 'n',
        other => other,
    };
    chasqui_registry::service::loosely(text).chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names() {
        for good in ["01", "09", "17", "24", "30"] {
            assert_eq!(code(good), Ok(Form::Normal), "{good}");
        }
        for wrong in ["00", "25", "29", "31", "1", "017", "", "1a", "-1"] {
            assert_eq!(code(wrong), Err(Flaw::Shape), "{wrong}");
        }
        assert_eq!(padded(" 9"), "09");
        assert_eq!(name("Cañar"), Ok(Form::Normal));
        assert_eq!(name("CANAR"), Err(Flaw::Shape));
        assert_eq!(known("  santo  DOMINGO de los tsachilas"), Some("Santo Domingo de los Tsáchilas"));
        assert_eq!(known("CAÑAR"), Some("Cañar"));
        assert_eq!(known("Quito"), None);
        for name in NAMES {
            assert_eq!(known(&name.to_uppercase()), Some(name));
        }
    }
}
